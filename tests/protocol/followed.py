"""The protocol's model, made to follow the ledger where the two differ on purpose.

- pending jobs: first come first served within a depth (ADR 10), not by the number of the job;
- a duplicate is seen before the depth is (LEDGER-07);
- redeliveries count for each attempt (ADR 13), not for the job;
- a position is kept with its TOKEN until another TOKEN takes it (LEDGER-16); the model forgets it with the lease;
- who was told to end a job has ended its lease too (LEDGER-13).
"""

from __future__ import annotations

from typing import Any

P, LS, SU, FA, NX = 1, 2, 3, 4, 5
"""Statuses of a job in the model: pending, leased, succeeded, failed, not executed."""


def memory(job: tuple) -> tuple:
    """What is kept in the last field of a job, which this mode of the model has no use for.

    Returns:
        Place among the pending ones, owner of the position, the position, whether somebody was told to end it.
    """
    return job[8] or (0, 0, 0, 0)


def followed(base: type) -> type:
    """Give the model's class that follows, made of the model's own."""

    class Followed(base):  # type: ignore[misc, valid-type]
        def enter(self, m: Any, j: int, job: tuple, kept: tuple) -> None:
            place = 1 + max((memory(x)[0] for x in m.jobs if x), default=0)
            m.jobs[j] = (*job[:8], (place, *kept[1:]))

        def admit_batch(self, m: Any, depth: int, batch: tuple) -> None:
            for child in batch:
                m.ctr[0] += 1
                if m.jobs[child]:
                    m.ctr[1] += 1
                elif depth + 1 > self.c.depth:
                    m.ctr[2] += 1
                elif sum(map(bool, m.jobs)) >= self.c.max_runs:
                    m.ctr[3] += 1
                    m.overn |= 1 << child
                else:
                    status = NX if m.fl[0] else P
                    self.enter(m, child, (status, depth + 1, 1, 0, 0, 0, 0, 0, 0), (0, 0, 0, 0))

        def dispatch(self, m: Any) -> None:
            if m.fl[0] or m.fl[1]:
                return
            leased = sum(bool(x) and x[0] == LS for x in m.jobs)
            waiting = [j for j, x in enumerate(m.jobs) if x and x[0] == P]
            for j in sorted(waiting, key=lambda j: (m.jobs[j][1], memory(m.jobs[j])[0])):
                if leased >= self.c.parallel:
                    return
                m.jobs[j] = (LS, *m.jobs[j][1:])
                m.ever |= 1 << j
                leased += 1

        def requeue(self, m: Any, j: int, fails: int, lost: int, sup: int = 0) -> None:
            run, position, kept = m.jobs[j][3], m.jobs[j][7], memory(m.jobs[j])
            super().requeue(m, j, fails, lost, sup)
            x = m.jobs[j]
            if fails:
                self.enter(m, j, (*x[:6], 0, *x[7:]), (0, 0, 0, 0))
            else:
                owner = (run, position) if position else kept[1:3]
                self.enter(m, j, x, (0, *owner, 0))

        def settle_by_record(self, m: Any, j: int, att: int, myrun: int, mynb: int) -> None:
            x = m.jobs[j]
            if x and x[0] in {P, LS} and not x[7]:
                _, owner, position, _ = memory(x)
                as_kept = (*x[:3], owner or x[3], x[4], x[5], x[6], position, x[8])
                m.jobs[j] = as_kept
                super().settle_by_record(m, j, att, myrun, mynb)
                if m.jobs[j] == as_kept:
                    m.jobs[j] = x
                return
            super().settle_by_record(m, j, att, myrun, mynb)

        def holds(self, m: Any, worker: tuple) -> bool:
            x = m.jobs[worker[0]]
            return bool(super().holds(m, worker)) and not memory(x)[3]

        def reaper(self, base: Any, emit: Any, name: Any) -> None:
            def mark(label: str, m: Any, fault: int = 0) -> None:
                if " must end " in label:
                    x = m.jobs[m.rp[0]]
                    m.jobs[m.rp[0]] = (*x[:8], (*memory(x)[:3], 1))
                emit(label, m, fault)

            super().reaper(base, mark, name)

    return Followed
