"""`make_durable` of a ledger: what is announced is on disk, or an error says that it is not."""

from __future__ import annotations

import pytest

from quarry.redisio import RedisUnavailableError, make_client
from quarry.scheduler import Ledger
from tests.scheduler.crawling import Crawl, bounds, jobs
from tests.scheduler.servers import KINDS, running_server


@pytest.mark.clause("LEDGER-36")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_seeded_crawl_survives_a_kill_right_after(kind, scripts):
    """The server dies at once, and comes back on its file with all of it."""
    with running_server(kind, aof=True) as server:
        client = make_client(server.url)
        crawl = Crawl(client, scripts)
        await crawl.begin("a b c")
        before = await crawl.counts()
        await crawl.ledger.make_durable()
        server.kill()
        server.start()
        assert await crawl.counts() == before
        await client.aclose()


class ForgetfulLedger(Ledger):
    """A ledger whose Redis falls back to an earlier state after each look at it."""

    async def state(self):
        known = await super().state()
        await self._client.hset("q:{c1}:meta", "revision", known.revision - 1)
        return known


@pytest.mark.clause("LEDGER-36")
async def test_steps_that_were_lost_are_an_error(client, scripts):
    """Redis fell back before they were on disk: nothing is announced."""
    ledger = ForgetfulLedger(client, "c1", scripts=scripts)
    await ledger.seed(jobs("a"), seeder="s", start=0, end=1, bounds=bounds(), final=True)
    with pytest.raises(RedisUnavailableError, match="lost the last steps"):
        await ledger.make_durable()
