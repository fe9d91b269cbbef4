"""A worker that stood still before its put, and whose job went on without it, puts the record that stands."""

from __future__ import annotations

import pytest

from tests.scheduler.actors import NAME_OF
from tests.scheduler.machine import LedgerMachine, RollbackMachine
from tests.scheduler.walking import bind


def work_until(machine, phase):
    """Let the one worker go on."""
    delivery = machine.deliveries[0]
    while delivery in machine.deliveries and delivery.phase != phase:
        machine.work(0, 2, lost=False)


@pytest.mark.clause("LEDGER-02")
@pytest.mark.clause("LEDGER-21")
@pytest.mark.clause("LODE-33")
def test_attempts_above_the_winner_are_not_counted_by_verify(server, scripts, cheap_disk):
    """What attempts 1 and 2 had said went to `replayed`, and attempt 2 still has its record: all is well."""
    machine = bind(LedgerMachine, server, scripts, cheap_disk)()
    try:
        machine.begin(depth=None, max_runs=None, parallel=1, max_attempts=3, max_redeliveries=1)
        machine.take("ok", 0, 0, "")
        first = machine.deliveries[0]
        work_until(machine, "put")
        machine.stall(0)
        machine.wait(60_001)
        machine.expire(dies=False)
        while len(machine.shelf.tries) < 2:
            name = machine.model.queue[0][0]
            machine.take("error" if name == first.name else "ok", 0, 0, "")
            work_until(machine, "end")
        machine.wake(0)
        machine.drive_to_the_end()
        winner = next(r for key, r in machine.shelf.finals.items() if NAME_OF[key] == first.name)
        assert (winner.token, winner.attempt) == (first.token, 1)
        assert [machine.shelf.tries[run_id].attempt for run_id in machine.shelf.effective()] == [2]
    finally:
        machine.release()


@pytest.mark.clause("LEDGER-24")
@pytest.mark.clause("LODE-33")
def test_a_record_that_a_forgotten_worker_puts_after_the_close_is_named_by_verify(
    server, scripts, cheap_disk
):
    """Redis forgot that its job was ever leased, and the crawl was stopped: nothing waits for it."""
    machine = bind(RollbackMachine, server, scripts, cheap_disk)()
    try:
        machine.begin(depth=0, max_runs=2, parallel=1, max_attempts=1, max_redeliveries=1)
        machine.save()
        machine.take("ok", 0, 0, "")
        work_until(machine, "end")
        machine.take("ok", 0, 0, "")
        late = machine.deliveries[0]
        work_until(machine, "put")
        machine.stall(0)
        machine.roll_back()
        machine.stop(really=True)
        while machine.model.status != "closed":
            if machine.model.queue:
                machine.take("ok", 0, 0, "")
                work_until(machine, "end")
            machine.begin_close()
            if machine.lease:
                machine.close()
        assert late.key not in machine.shelf.finals
        machine.wake(0)
        machine.drive_to_the_end()
        assert machine.shelf.finals[late.key].token == late.token
        assert {problem.kind for problem in machine.shelf.reader().verify()} == {"summary_counts"}
    finally:
        machine.release()
