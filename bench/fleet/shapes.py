"""The crawls that are measured: their jobs, and the exact counts that they must end with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One kind of crawl.

    Attributes:
        name: ``tiny`` emits one item, ``items`` many, ``links`` one item and enqueues, ``pages`` fetches.
        jobs: Distinct jobs of the crawl.
        each: Items, or enqueues, of a run.
        page_bytes: Size of a page.
        site: Address of the server of pages.
    """

    name: str
    jobs: int
    each: int = 1
    page_bytes: int = 0
    site: str = field(default="", repr=False)

    @property
    def events(self) -> int:
        """Items of a run."""
        return self.each if self.name == "items" else 1

    @property
    def enqueues(self) -> int:
        """Enqueue events of a run."""
        return self.each if self.name == "links" else 0

    @property
    def depth(self) -> int | None:
        """Bound of the crawl."""
        return None if self.name == "links" else 0

    def roots(self) -> Iterator[dict[str, Any]]:
        """Give the params of the roots."""
        for n in range(1 if self.name == "links" else self.jobs):
            yield self._params(n)

    def expected(self) -> dict[str, int]:
        """Give the counters that the crawl must end with."""
        seeds = 1 if self.name == "links" else self.jobs
        received = seeds + self.jobs * self.enqueues
        return {
            "seeds": seeds,
            "received": received,
            "admitted": self.jobs,
            "duplicate": received - self.jobs,
            "beyond_depth": 0,
            "over_cap": 0,
            "replayed": 0,
            "succeeded": self.jobs,
            "failed": 0,
            "not_executed": 0,
            "redeliveries": 0,
        }

    def _params(self, n: int) -> dict[str, Any]:
        if self.name == "links":
            return {"n": n, "k": self.each, "of": self.jobs}
        if self.name == "items":
            return {"n": n, "items": self.each}
        if self.name == "pages":
            return {"n": n, "url": f"{self.site}/{n}"}
        return {"n": n}
