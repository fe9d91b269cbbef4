"""Redis falls back to what it held some steps before, at each point of a process that lives on and knows better."""

from __future__ import annotations

import pytest

from tests.protocol.scenarios import ADOPT, ADOPT_ATTEMPT, FAN, FILES, REAP_LOST, REAP_RECORD, RETRY, SPENT
from tests.protocol.trying import LONG, Trial

pytestmark = pytest.mark.slow

STEPS_BACK = (1, 3, 8)
"""How far Redis falls back, in points; in the larger form to every point."""


def pairs(points):
    """Where Redis is saved and where it falls back to that: after the seeding, before the close is durable."""
    end = points.index("ledger.touch") + 1
    for fall in range(2, end + 1):
        for back in range(1, fall) if LONG else STEPS_BACK:
            if fall - back >= 1:
                yield fall - back, fall


@pytest.mark.timeout(3600 if LONG else 180)
@pytest.mark.clause("LEDGER-03")
@pytest.mark.clause("LEDGER-19")
@pytest.mark.clause("LEDGER-24")
@pytest.mark.parametrize(
    "scenario",
    [FAN, RETRY, SPENT, FILES, REAP_LOST, REAP_RECORD, ADOPT, ADOPT_ATTEMPT],
    ids=lambda scenario: scenario.name,
)
def test_redis_falls_back_between_any_two_steps(aof_server, zygote, folder, scenario):
    """The process lives on through it, another one goes on: same records, same rows, nothing to verify."""
    trial = Trial(aof_server, zygote, folder, scenario)
    tries = 0
    for save, fall in pairs(trial.points):
        ended = trial.play(ask={save: "save", fall: "fall back"})
        assert ended.code == 0
        tries += 1
        trial.check(f"Redis fell back to point {save}", ended, fall)
    print(f"{scenario.name}: Redis fell back {tries} times")
    assert tries > 10
