"""Stopping a crawl of a broker; what a stop leaves to do is done from here too, where its storage is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from quarry.crawl.attempt import Tools
from quarry.crawl.closing import Closing
from quarry.crawl.delivery import CrawlContext
from quarry.crawl.heartbeat import Heartbeat
from quarry.crawl.plan import decode_plan
from quarry.crawl.reaper import reap
from quarry.crawl.scripts import ScriptHashes
from quarry.crawl.storage import storage_is_here
from quarry.crawl.threads import Threads
from quarry.lode import Dataset
from quarry.runtime import SingleShot

if TYPE_CHECKING:
    from quarry.engine.broker import Broker
    from quarry.scheduler import StopAnswer

_ALL = 5000


async def stop_crawl(broker: Broker, crawl: str, *, now: bool) -> StopAnswer:
    """Stop a crawl; with ``now`` what executes ends too, through records that say so.

    Workers do the rest by themselves. Where none is left, and this machine sees the storage, it is done here.

    Args:
        broker: Where the crawl is.
        crawl: Its id.
        now: Whether what executes ends too.

    Raises:
        LedgerMissingError: There is no such crawl.
        StoreError: A record or the summary could not be put; workers try again.
    """
    state = await broker.state(crawl)
    ledger = broker.ledger(crawl)
    answer = await ledger.stop("asked", now=now)
    plan = decode_plan(state.config)
    if answer.status == "closed" or not storage_is_here(plan):
        return answer
    threads = Threads(min(8, os.cpu_count() or 1))
    try:
        context = CrawlContext(
            plan=plan,
            ledger=ledger,
            tools=Tools(
                dataset=Dataset.create(plan.storage_path, plan.dataset),
                runner=SingleShot(),
                threads=threads,
                hashes=ScriptHashes(),
            ),
            heartbeat=Heartbeat(lambda _: ledger),
        )
        if (await reap(context, limit=_ALL)) and await Closing(context).try_close():
            closed = await ledger.state()
            await broker.registry.retire(
                crawl, closed_ms=closed.closed_ms or closed.now_ms, keep_ms=plan.expire_after_ms
            )
    finally:
        threads.close()
    return answer
