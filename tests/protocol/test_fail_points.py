"""A process is killed at each of its points in turn; another one goes on, and nobody can tell."""

from __future__ import annotations

import pytest

from tests.protocol.points import READS
from tests.protocol.processes import KILLED
from tests.protocol.scenarios import FAN, ONE, SCENARIOS, SEED, STOP, STOP_NOW
from tests.protocol.trying import LONG, Trial

pytestmark = pytest.mark.slow


def sweep(trial, *, until=""):
    """Kill at every point that has a change behind it, until the process ends without being killed.

    In the short form the points of the close are tried in one scenario only: they are the same in all.

    Args:
        trial: The scenario.
        until: The last point is before the first operation of this name.

    Returns:
        How often a process was killed.
    """
    names = list(trial.points)
    number = kills = 0
    while True:
        number += 1
        if number <= len(names) and names[number - 1] in READS:
            continue
        ended = trial.play(kill_at=number)
        if ended.code != KILLED:
            assert not ended.gave_up
            return kills
        kills += 1
        trial.check("killed", ended, number, killed=1)
        names[: len(ended.points)] = ended.points
        if ended.points[-1] == until:
            return kills


@pytest.mark.clause("RUN-25")
@pytest.mark.clause("RUN-26")
@pytest.mark.clause("RUN-27")
@pytest.mark.clause("LEDGER-03")
@pytest.mark.clause("LEDGER-22")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_killed_at_any_point(aof_server, zygote, folder, scenario):
    """Same records, same rows, both equations, nothing to verify, nothing left in Redis or on disk."""
    trial = Trial(aof_server, zygote, folder, scenario)
    kills = sweep(
        trial, until="" if LONG or scenario in {FAN, SEED, STOP, STOP_NOW} else "ledger.begin_close"
    )
    print(f"{scenario.name}: killed {kills} times among {len(trial.points)} points")
    assert kills >= 3


@pytest.mark.clause("RUN-27")
def test_killed_at_any_point_with_quarrys_own_executor(aof_server, zygote, folder):
    """The same with the executor that users have, up to the end of the job."""
    trial = Trial(aof_server, zygote, folder, ONE, light=False)
    kills = sweep(trial, until="" if LONG else "ledger.begin_close")
    print(f"killed {kills} times among {len(trial.points)} points")
    assert kills > 8


@pytest.mark.skipif(not LONG, reason="the larger form: QUARRY_LONG=1")
@pytest.mark.timeout(3600)
@pytest.mark.clause("RUN-27")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_killed_at_any_point_and_its_successor_too(aof_server, zygote, folder, scenario):
    """Every pair of points: the process that goes on is killed as well, and a third one goes on."""
    trial = Trial(aof_server, zygote, folder, scenario)
    stage = trial.stage
    first = kills = 0
    while True:
        first += 1
        if first <= len(trial.points) and trial.points[first - 1] in READS:
            continue
        if trial.play(kill_at=first).code != KILLED:
            break
        state, disk = stage.snapshot(), stage.copy_disk()
        second = 0
        while True:
            second += 1
            stage.restore(state)
            stage.put_disk(disk)
            ended = stage.run(scenario.after, kill_at=second)
            if ended.code != KILLED:
                break
            kills += 1
            stage.pass_time()
            trial.check(f"killed at point {first} and again", ended, second, killed=2)
    print(f"{scenario.name}: {kills} pairs of kills")
    assert kills > 20
