"""The reaper of a worker: lapsed leases are delivered again or ended through a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from quarry.crawl.plan import decode_payload
from quarry.crawl.records import make_lost_record
from quarry.types import new_token

if TYPE_CHECKING:
    from quarry.crawl.delivery import CrawlContext


async def reap(context: CrawlContext, *, limit: int = 100) -> bool:
    """Do one round of ``expire`` for a crawl.

    Args:
        context: The crawl.
        limit: Leases looked at in this round.

    Returns:
        Whether the crawl looks ready to close.
    """
    log = structlog.get_logger("quarry.reaper").bind(crawl=context.plan.crawl)
    answer = await context.ledger.expire(limit)
    if answer.republished or answer.requeued:
        log.info("lease.lapsed", republished=answer.republished, requeued=answer.requeued)
    closable = answer.idle
    for owed in answer.owed:
        job = decode_payload(owed.payload)
        record = make_lost_record(context.plan, owed, job, new_token())
        standing = await context.threads.run(context.dataset.put_record, record)
        if standing.token != record.token:
            # That delivery committed, and was lost before it could clean up.
            await context.threads.run(context.dataset.drop_live, standing)
        log.warning("job.ended_by_reaper", key=owed.key, reason=owed.reason, run_id=record.run_id)
        closable = await context.settlement.settle(standing) or closable
    return closable
