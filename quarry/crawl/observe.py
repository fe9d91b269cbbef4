"""What the ledgers of a Redis say of their crawls, live or ended. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from quarry.errors import LedgerMissingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarry.scheduler import CrawlRegistry, Ledger
    from quarry.scheduler.answers import LedgerState
    from quarry.types import Counts


@dataclass(frozen=True, kw_only=True)
class CrawlView:
    """One crawl at one moment.

    Attributes:
        crawl: Its id.
        state: Its head: status, bounds, times.
        counts: Its counters.
    """

    crawl: str
    state: LedgerState
    counts: Counts


async def read_crawl(ledger: Ledger) -> CrawlView | None:
    """Read one crawl; None where this Redis has none of that id."""
    state = await ledger.state()
    if not state.exists:
        return None
    try:
        counts = await ledger.counts()
    except LedgerMissingError:  # expired or forgotten in between
        return None
    return CrawlView(crawl=ledger.crawl, state=state, counts=counts)


async def read_crawls(registry: CrawlRegistry, ledger_of: Callable[[str], Ledger]) -> list[CrawlView]:
    """Read all crawls that this Redis still has, the open ones first, then the latest ended."""
    views = [await read_crawl(ledger_of(crawl)) for crawl in await registry.all_crawls()]
    return [view for view in views if view is not None]
