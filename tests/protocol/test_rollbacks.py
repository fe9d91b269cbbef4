"""Redis falls back to what it held some steps before, at each point of a process that lives on and knows better."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.protocol.conftest import load_steps
from tests.protocol.scenarios import (
    ADOPT,
    ADOPT_ATTEMPT,
    FAN,
    FILES,
    REAP_LOST,
    REAP_RECORD,
    RETRY,
    SEED,
    SPENT,
)
from tests.protocol.trying import LONG, Trial
from tests.scheduler.servers import running_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if LONG else 180)]

STEPS_BACK = (3, 1, 8, 2)
"""How far Redis falls back, in points, by turns; in the larger form to every point."""


def pairs(points, first=1, last="ledger.touch"):
    """Where Redis is saved, and where it falls back to that.

    After the seeding, which is durable; before the close is durable.
    """
    for fall in range(first + 1, points.index(last) + 2):
        backs = range(1, fall) if LONG else (STEPS_BACK[fall % len(STEPS_BACK)],)
        for back in backs:
            if fall - back >= first:
                yield fall - back, fall


def fall_back(trial, found):
    """Let Redis fall back in each of these ways, and look each time; how often."""
    tries = 0
    for save, fall in found:
        ended = trial.play(ask={save: "save", fall: "fall back"})
        # Who was about to make the close durable, and learns that Redis lost it, leaves it to the next one.
        lost_close = (ended.gave_up, ended.points[-1]) == ("RedisUnavailableError", "redis.del")
        assert not ended.gave_up or lost_close, ended.at(fall)
        tries += 1
        trial.check(f"Redis fell back to point {save}", ended, fall)
    print(f"{trial.stage.scenario.name}: Redis fell back {tries} times")
    return tries


@pytest.mark.clause("LEDGER-02")
@pytest.mark.clause("LEDGER-03")
@pytest.mark.clause("LEDGER-19")
@pytest.mark.clause("LEDGER-24")
@pytest.mark.clause("LEDGER-44")
@pytest.mark.clause("RUN-31")
@pytest.mark.parametrize(
    "scenario",
    [FAN, RETRY, SPENT, FILES, REAP_LOST, REAP_RECORD, ADOPT, ADOPT_ATTEMPT],
    ids=lambda scenario: scenario.name,
)
def test_redis_falls_back_between_any_two_steps(aof_server, zygote, folder, scenario):
    """The process lives on through it, another one goes on: same records, same rows, nothing to verify."""
    trial = Trial(aof_server, zygote, folder, scenario)
    last = "ledger.touch" if LONG or scenario is FAN else "ledger.begin_close"
    assert fall_back(trial, pairs(trial.points, last=last)) > 1


@pytest.mark.clause("LEDGER-45")
def test_redis_falls_back_while_the_crawl_is_seeded(aof_server, zygote, folder):
    """After the first batch, which is durable: the seeder goes back to where Redis stands, and on."""
    trial = Trial(aof_server, zygote, folder, SEED)
    first = trial.points.index("ledger.touch") + 2
    tries = 0
    for fall in range(first + 1, len(trial.points) + 1):
        for save in range(first, fall) if LONG else {max(first, fall - STEPS_BACK[fall % len(STEPS_BACK)])}:
            ended = trial.play(ask={save: "save", fall: "fall back"})
            assert ended.gave_up == ""
            tries += 1
            trial.check(f"Redis fell back to point {save}", ended, fall)
    print(f"Redis fell back {tries} times")
    assert tries >= 6


@pytest.mark.clause("LEDGER-03")
@pytest.mark.clause("RUN-27")
def test_redis_is_killed_and_starts_on_a_copy_of_its_file(zygote, folder):
    """As above, with the append-only file itself: copied at one point, put back under a killed server later."""
    with running_server("redis", aof=True) as server:
        load_steps(server)
        trial = Trial(server, zygote, folder, FAN)
        file, copy = Path(server.folder, "appendonlydir"), folder / "copy.aof"

        def answer(word):
            if word == "save":
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(file, copy)
                return
            server.kill()
            shutil.rmtree(file)
            shutil.copytree(copy, file)
            server.start()

        trial.stage.answer = answer
        found = list(pairs(trial.points))
        assert fall_back(trial, found if LONG else found[1::6]) > 3
