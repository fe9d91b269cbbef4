"""Random interleavings of all steps: the real Lua on a real server and the real store (`machine.py`)."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.scheduler.broken_stores import BROKEN
from tests.scheduler.machine import LedgerMachine, RollbackMachine
from tests.scheduler.walking import bind, walk

EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "40"))
WALKS = int(os.environ.get("LEDGER_WALKS", "15"))
STEPS = int(os.environ.get("LEDGER_STEPS", "30"))
MOVES_A_WALK = 250
MACHINES = [LedgerMachine, RollbackMachine]


@pytest.mark.parametrize("store", BROKEN)
def test_the_walks_notice_a_broken_store(server, scripts, cheap_disk, store):
    """On the seeds that pass with the real one; at least one answer, file or count is another then."""
    for seed in range(WALKS):
        bound = bind(LedgerMachine, server, scripts, cheap_disk, store=store)()
        try:
            walk(bound, random.Random(seed), MOVES_A_WALK)
            bound.drive_to_the_end()
        except AssertionError:
            return
        finally:
            bound.release()
    pytest.fail(f"{WALKS} walks end well on a store that {store.__doc__}")


@pytest.mark.slow
@pytest.mark.clause("LEDGER-01")
@pytest.mark.clause("LEDGER-02")
@pytest.mark.clause("LODE-18")
@pytest.mark.clause("LODE-21")
@pytest.mark.clause("LODE-22")
@pytest.mark.clause("LODE-34")
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("seed", range(WALKS))
def test_long_walks_end_as_their_records_say(server, scripts, cheap_disk, machine, seed):
    """As below, in walks of hundreds of moves; the seed says which."""
    bound = bind(machine, server, scripts, cheap_disk)()
    try:
        walk(bound, random.Random(seed), MOVES_A_WALK)
    finally:
        bound.teardown()


@pytest.mark.slow
@pytest.mark.timeout(400)  # where it fails Hypothesis may look for a shorter trace for five minutes
@pytest.mark.clause("LEDGER-01")
@pytest.mark.clause("LEDGER-03")
@pytest.mark.clause("LEDGER-22")
@pytest.mark.clause("LODE-33")
@pytest.mark.parametrize("machine", MACHINES)
def test_ledger_and_records_agree_under_random_faults(server, scripts, cheap_disk, machine):
    """Both equations at every step; every answer of the store as the model's; every crawl completes; every
    record's job ends as its record says; its rows are visible once, and nothing of a loser is left."""
    bound = bind(machine, server, scripts, cheap_disk)
    run_state_machine_as_test(
        bound,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
