"""The broker of a fleet, as a command uses it: checked once, its crawls looked up by id."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Self

from quarry.errors import ConfigError, LedgerMissingError
from quarry.recency import RedisRecency
from quarry.redisio import (
    Reach,
    RedisRefusedError,
    Severity,
    check_broker,
    make_client,
    read_broker_facts,
    redacted,
)
from quarry.scheduler import CrawlRegistry, Ledger

if TYPE_CHECKING:
    from types import TracebackType

    from quarry.crawl.reporter import Reporter
    from quarry.scheduler import LedgerState


_PASSING = frozenset({Reach.AWAY, Reach.REFUSED})
"""A Redis that is down, or that answers and is still loading its file."""

_PAUSE_S = 0.2


class Broker:
    """One Redis that holds ledgers and messages; an async context manager.

    Attributes:
        address: Where it is, without its password.
        registry: Of its crawls.

    Args:
        url: Its address.
    """

    def __init__(self, url: str) -> None:
        self.address = redacted(url)
        self._url = url
        self._client = make_client(url)
        self.registry = CrawlRegistry(self._client)

    def pools(self) -> RedisRecency:
        """Give the state of its proxy pools."""
        return RedisRecency(self._client)

    def ledger(self, crawl: str) -> Ledger:
        """Give the ledger of a crawl, whether there is one or not."""
        return Ledger(self._client, crawl)

    async def check(self, reporter: Reporter | None = None, *, wait_s: float = 0.0) -> None:
        """Refuse a broker that can't be used; warn of one that promises less than it could.

        Args:
            reporter: Told of warnings.
            wait_s: Seconds that one which is away is waited for: it may be starting again.

        Raises:
            ConfigError: With every problem and how to mend it.
        """
        deadline = time.monotonic() + wait_s
        facts = await read_broker_facts(self._url)
        while facts.reach in _PASSING and time.monotonic() < deadline:
            await asyncio.sleep(_PAUSE_S)
            facts = await read_broker_facts(self._url)
        findings = check_broker(facts, self.address)
        broken = [finding.sentence() for finding in findings if finding.severity is Severity.BROKEN]
        if broken:
            raise ConfigError([f"broker: {sentence}" for sentence in broken])
        for finding in findings:
            if finding.severity is Severity.WARNING and reporter is not None:
                reporter.warning(finding.sentence())

    async def check_new(self, crawl: str) -> None:
        """Refuse to begin a crawl that the broker has already.

        Raises:
            ConfigError: There is one of that id.
            LedgerMissingError: What has its name is no crawl of Quarry's.
        """
        if (await self._head(crawl)).exists:
            raise ConfigError(
                f"--run-id {crawl}: crawl {crawl} is in the ledger already; quarry run --attach {crawl} goes"
                f" on with it, and quarry forget {crawl} removes it once it has ended; or choose another id"
            )

    async def state(self, crawl: str) -> LedgerState:
        """Read the head of a crawl.

        Raises:
            LedgerMissingError: There is none of that id, or what has its name is no crawl of Quarry's.
        """
        state = await self._head(crawl)
        if not state.exists:
            raise LedgerMissingError(
                f"there is no crawl {crawl} on {self.address}: it never was, or it expired after its end;"
                " 'quarry list crawls' shows what is there"
            )
        return state

    async def _head(self, crawl: str) -> LedgerState:
        try:
            return await self.ledger(crawl).state()
        except (RedisRefusedError, KeyError, ValueError) as error:
            raise LedgerMissingError(
                f"what {self.address} keeps under the name of crawl {crawl} is none of Quarry's: {error}"
            ) from error

    async def __aenter__(self) -> Self:
        """Use it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        await self._client.aclose()
