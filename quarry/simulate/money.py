"""What a crawl costs in money. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarry.simulate.model import Needs
    from quarry.simulate.prices import Prices

_GB = 1e9
_HOUR_S = 3600


@dataclass(frozen=True, kw_only=True)
class Money:
    """In the price table's currency.

    Attributes:
        workers: Cores, while the crawl runs.
        redis: Its memory, while the crawl runs and closes.
        requests: Writes to the storage.
        storage_month: Keeping what was written for one month.
    """

    workers: float
    redis: float
    requests: float
    storage_month: float

    @property
    def total(self) -> float:
        """All of it, with one month of storage."""
        return self.workers + self.redis + self.requests + self.storage_month


def compute_money(needs: Needs, prices: Prices) -> Money:
    """Compute what a crawl costs."""
    hours = needs.seconds / _HOUR_S
    redis_hours = hours + needs.close_s / _HOUR_S
    return Money(
        workers=needs.cores * hours * prices.core_hour,
        redis=needs.redis_memory_bytes / _GB * redis_hours * prices.redis_gb_hour,
        requests=needs.storage_requests / 1000 * prices.put_per_1000,
        storage_month=needs.storage_bytes / _GB * prices.gb_month,
    )
