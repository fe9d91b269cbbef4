"""`--max-runs N` executes exactly N distinct jobs, seen from the ledger alone."""

from __future__ import annotations

import random

import pytest

from tests.scheduler.crawling import bounds, job, key_of


@pytest.mark.clause("LEDGER-09")
@pytest.mark.parametrize("parallel", [1, 8])
@pytest.mark.parametrize("max_runs", [1, 2, 7, 100])
async def test_exactly_max_runs_distinct_jobs_are_executed(crawl, max_runs, parallel):
    """A graph without end, workers that claim in any order, messages that come twice."""
    chance = random.Random(max_runs * 10 + parallel)
    await crawl.ledger.seed(
        [job("n1")],
        seeder="s",
        start=0,
        end=1,
        bounds=bounds(max_runs=max_runs, parallel=parallel),
        final=True,
    )
    names = {key_of(f"n{i}"): i for i in range(1, 2000)}
    executed, running, tokens = set(), {}, 0
    while True:
        await crawl.counts()
        while (name := await crawl.pop()) is not None:
            if chance.random() < 0.2:
                await crawl.client.lpush("quarry", await message_of(crawl, name))
            tokens += 1
            claim = await crawl.claim(name, f"T{tokens}")
            if claim.status == "ok":
                assert name not in executed
                executed.add(name)
                running[name] = (f"T{tokens}", claim.depth)
            assert len(running) <= parallel
        if not running:
            break
        name = chance.choice(sorted(running))
        token, depth = running.pop(name)
        i = names[key_of(name)]
        children = f"n{i * 2 % 1999 + 1} n{i * 3 % 1999 + 1} n{i}"
        await crawl.admit(name, children, token=token)
        await crawl.settle(name, 3, token=token, depth=depth)
    assert len(executed) == max_runs
    counts = await crawl.counts()
    assert (counts.admitted, counts.succeeded) == (max_runs, max_runs)
    assert counts.received - counts.replayed - counts.seeds == 3 * max_runs


async def message_of(crawl, name):
    """The message of a job once more, as a broker repeats it."""
    return b'{"headers":{"argsrepr":"(\'%s\')"}}' % name.encode()
