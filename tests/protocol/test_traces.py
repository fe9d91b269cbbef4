"""Traces of the protocol's model on the real Lua and the real store: same state after each step."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from quarry.errors import QuarryError
from quarry.redisio import Retrier, ScriptFolder, make_client
from quarry.scheduler import Ledger
from tests.protocol.actors import CRAWL
from tests.protocol.make_traces import make
from tests.protocol.replay import Replay
from tests.protocol.trying import LONG
from tests.scheduler.crawling import TestClock

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if LONG else 180)]

TRACES = Path(__file__).parent / "traces.jsonl.gz"
MODEL = os.environ.get("LEDGER_MODEL", "/nowhere")
SHARES = 4
BROKEN = [
    ("a zombie may admit", "lost", "admit*.lua", "if not holds(job, token) then return {'lost'} end", ""),
    (
        "a gap is not refused",
        "gap",
        "admit*.lua",
        "if start > job.p and job.q == token then return {'gap', job.p} end",
        "",
    ),
    (
        "a repeated batch counts again",
        "admit",
        "position.lua",
        "for n = job.p - start + 1, size do",
        "for n = 1, size do",
    ),
    (
        "a position passes on with the lease",
        "fall_back",
        "position.lua",
        "count('replayed', job.p)\n  job.p, job.q = 0, token",
        "",
    ),
    (
        "a job ends twice",
        "settle",
        "settle*.lua",
        "if known == SUCCEEDED or known == FAILED then return",
        "if false then return",
    ),
    (
        "redeliveries without end",
        "owe",
        "expire*.lua",
        "running and job.v <= head.max_redeliveries",
        "running",
    ),
    (
        "a stop ends what was leased",
        "stop",
        "stopping.lua",
        "if job.v == 0 and job.a == job.f then",
        "if true then",
    ),
    (
        "one slot too many",
        "admit",
        "dispatch*.lua",
        "head.parallel - current('leased')",
        "1 + head.parallel - current('leased')",
    ),
    (
        "the depth before the duplicate",
        "duplicates, beyond the depth",
        "admission.lua",
        "if seen(bucket, field) then",
        "if depth <= head.depth and seen(bucket, field) then",
    ),
    (
        "a second claim takes the lease",
        "claim",
        "claim*.lua",
        "if job.t and job.t ~= token then return {'busy'} end",
        "",
    ),
]
"""What is broken; a step or an answer in the traces that may notice, or their scenario; in which file, which line, and what stands there then."""


def read_traces(*, whole=LONG):
    """Scenarios with their traces, in order.

    In the short form the paths are two steps shorter, each once, and one random trace of twelve is replayed.
    """
    scenario, met, walks = {}, set(), 0
    with gzip.open(TRACES, "rt") as lines:
        for line in lines:
            told = json.loads(line)
            if "name" in told:
                scenario, met = told, set()
                continue
            kind, steps = told.popitem()
            if kind == "walk":
                walks += 1
                if not whole and walks % 12:
                    continue
            elif not whole:
                steps = steps[: scenario["path_steps"] - 2]
                if (path := repr([step[0] for step in steps])) in met:
                    continue
                met.add(path)
            yield scenario, steps


class Stand:
    """A server for many traces."""

    def __init__(self, url, folder, scripts=None):
        self.client = make_client(url)
        self.folder = folder
        self.scripts = scripts
        self.steps = 0

    async def replay(self, scenario, steps):
        await self.client.flushall()
        ledger = Ledger(self.client, CRAWL, scripts=self.scripts, retrier=Retrier(5), clock_ms=TestClock())
        replay = Replay(self.client, ledger, self.folder, scenario)
        done = []
        try:
            await replay.begin()
            for step in steps:
                done.append(step[0])
                await replay.step(*step)
        except AssertionError as error:
            trace = "\n".join(f"  {n}. {' '.join(map(str, op))}" for n, op in enumerate(done, 1))
            raise AssertionError(f"{scenario['name']}: after\n{trace}\n{error}") from error
        finally:
            self.steps += len(done)
            replay.end()


@pytest.fixture
async def stand(aof_server, folder):
    stand = Stand(aof_server.url, folder)
    yield stand
    await stand.client.aclose()


@pytest.mark.clause("LEDGER-01")
@pytest.mark.clause("LEDGER-15")
@pytest.mark.clause("LEDGER-22")
@pytest.mark.clause("LEDGER-24")
@pytest.mark.clause("LEDGER-25")
@pytest.mark.clause("LODE-18")
@pytest.mark.parametrize("share", range(SHARES))
async def test_ledger_and_store_follow_the_model(stand, share):
    """Every path to a depth, then random ones: counters, jobs, leases, positions, records."""
    traces = list(read_traces())[share::SHARES]
    for scenario, steps in traces:
        await stand.replay(scenario, steps)
    print(f"{len(traces)} traces, {stand.steps} steps")
    assert len(traces) > 100


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken[0])
async def test_the_traces_notice_a_step_that_is_broken(aof_server, folder, tmp_path, broken):
    """A guard is taken out of a copy of the Lua files: some trace ends otherwise."""
    what, needed, pattern, old, new = broken
    shutil.copytree(str(files("quarry.scheduler").joinpath("lua")), tmp_path / "lua")
    changed = 0
    for path in (tmp_path / "lua").rglob(pattern):
        text = path.read_text()
        changed += old in text
        path.write_text(text.replace(old, new))
    assert changed, f"{pattern} has no such line any more: {old}"
    stand = Stand(aof_server.url, folder, ScriptFolder(tmp_path / "lua"))
    try:
        # The longest first: they are the likeliest to notice.
        for scenario, steps in sorted(read_traces(whole=True), key=lambda trace: -len(trace[1])):
            words = {word for op, *_ in steps for word in (op[0], op[-1])}
            if needed in words or needed == scenario["name"]:
                await stand.replay(scenario, steps)
    except (AssertionError, QuarryError) as error:
        print(f"{what}, after {stand.steps} steps: {error}")
        return
    finally:
        await stand.client.aclose()
    pytest.fail(f"no trace notices: {what}")


@pytest.mark.skipif(not Path(MODEL).is_dir(), reason="the model is not here: LEDGER_MODEL names its folder")
@pytest.mark.clause("LEDGER-01")
async def test_ledger_and_store_follow_the_model_itself(stand):
    """Random paths that were never seen before."""
    seed = int.from_bytes(os.urandom(4))
    print(f"seed {seed}")
    scenario = None
    for told in make(MODEL, seed, walks_only=True):
        if "name" in told:
            scenario = told
        else:
            await stand.replay(scenario, json.loads(json.dumps(told["walk"])))
