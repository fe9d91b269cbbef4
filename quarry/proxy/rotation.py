"""A run's endpoint: taken, changed when the script asks, reported on when it ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import structlog

from quarry.errors import QuarryError
from quarry.proxy.reports import DELAY_S, Reports
from quarry.proxy.strategies import decide_ask, domain_of
from quarry.types.proxy import Endpoint
from quarry.types.rotation import LEAST_BAD, ProxyReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from quarry.proxy.store import RecencyStore
    from quarry.proxy.strategies import Circumstances
    from quarry.types.proxy import ProxyPool
    from quarry.types.rotation import Choice

ANNOUNCE_S = 300.0
"""Seconds after which a process says again that it has a pool; the store forgets it after seven days."""

BANNED = "banned"
"""The reason of ``rotate_proxy`` that speaks of one target only."""


class ProxyWatcher:
    """Told of choices, failures and rests; does nothing by itself."""

    def chosen(self, pool: str, endpoint: str, reason: str) -> None:
        """Learn of a choice."""

    def reported(self, pool: str, endpoint: str, *, ok: int, failed: int, latency_ms: int) -> None:
        """Learn how the requests of a run through an endpoint ended."""

    def rested(self, pool: str, endpoint: str) -> None:
        """Learn that a rest began."""


class Rotation:
    """Gives runs their endpoints; one a process.

    Args:
        store: Shared by all who use the pools.
        throw: Gives a whole number from 0 to 2**32 - 1, by chance.
        watcher: Told of what happens.
        report_delay_s: Seconds that successes wait to be reported together.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        store: RecencyStore,
        *,
        throw: Callable[[], int],
        watcher: ProxyWatcher | None = None,
        report_delay_s: float = DELAY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.reports = Reports(store, delay_s=report_delay_s)
        self.throw = throw
        self.watcher = watcher or ProxyWatcher()
        self._clock = clock
        self._announced: dict[tuple[str, str], float] = {}
        self._log = structlog.get_logger("quarry.proxy")

    async def take(self, pool: ProxyPool, circumstances: Circumstances) -> RunProxy:
        """Choose a run's endpoint.

        Raises:
            QuarryError: The store is away.
        """
        await self.announce(pool)
        proxy = RunProxy(self, pool, circumstances)
        await proxy.choose()
        return proxy

    async def close(self) -> None:
        """Report what waits to be reported."""
        await self.reports.close()

    async def announce(self, pool: ProxyPool) -> None:
        """Say now and then that the pool is used, and whether others define it differently.

        Raises:
            QuarryError: The store is away.
        """
        own = (pool.name, pool.digest)
        now = self._clock()
        if now - self._announced.get(own, -ANNOUNCE_S) < ANNOUNCE_S:
            return
        known = await self.store.announce(pool)
        self._announced[own] = now
        others = [each.digest for each in known if each.name == pool.name and each.digest != pool.digest]
        if others:
            self._log.warning("proxy.definitions_differ", pool=pool.name, digest=pool.digest, others=others)


class RunProxy:
    """The endpoints of one run.

    Args:
        rotation: Of the process.
        pool: The run's pool.
        circumstances: What a choice may depend on.
    """

    def __init__(self, rotation: Rotation, pool: ProxyPool, circumstances: Circumstances) -> None:
        self.pool = pool
        self._rotation = rotation
        self._circumstances = circumstances
        self._choices: list[Choice] = []
        self._given_up: set[int] = set()
        self._told: dict[int, int] = {}
        self._log = structlog.get_logger("quarry.proxy").bind(pool=pool.name)

    @property
    def endpoint(self) -> Endpoint:
        """The one in use."""
        return self.pool.endpoints[self._choices[-1].index]

    @property
    def reason(self) -> str:
        """Why it is the one in use (`Choice.reason`)."""
        return self._choices[-1].reason

    async def choose(self) -> Endpoint:
        """Take an endpoint that the run has not given up, if there is one.

        Raises:
            QuarryError: The store is away.
        """
        rotation = self._rotation
        ask = decide_ask(
            self.pool, self._circumstances, dice=rotation.throw(), given_up=sorted(self._given_up)
        )
        choice = await rotation.store.choose(self.pool, ask)
        self._choices.append(choice)
        endpoint = self.endpoint
        rotation.watcher.chosen(self.pool.name, endpoint.identity, choice.reason)
        if choice.reason in LEAST_BAD:
            self._log.warning("proxy.least_bad", endpoint=endpoint.identity, reason=choice.reason)
        elif choice.trial:
            self._log.info("proxy.trial", endpoint=endpoint.identity)
        return endpoint

    async def rotate(self, reason: str | None) -> Endpoint:
        """Give up the endpoint in use and take another.

        Args:
            reason: ``banned`` makes it rest for the run's target only, anything else counts as a failure.

        Raises:
            QuarryError: The store is away.
        """
        given_up = self._choices[-1]
        self._given_up.add(given_up.index)
        domain = domain_of(self._circumstances)
        if reason == BANNED and domain is not None:
            await self._report(given_up, banned=domain)
        else:
            # The request that made the script ask is told again when the run ends: it is one failure.
            self._told[given_up.index] = self._told.get(given_up.index, 0) + 1
            await self._report(given_up, failed=1)
        return await self.choose()

    async def finish(self, uses: Iterable[Mapping[str, Any]]) -> None:
        """Report what the executor saw of each endpoint; a store that is away is only logged.

        Args:
            uses: ``proxy_use`` of the run's result: endpoints without password, ok, failed, latency_ms.
        """
        used = {_identity(use): use for use in uses}
        last = {choice.index: choice for choice in self._choices}
        try:
            for at, choice in last.items():
                use = used.get(self.pool.endpoints[at].identity)
                if use is not None:
                    await self._report_use(choice, use)
                elif choice.trial:
                    await self._report(choice)
        except QuarryError as error:
            self._log.warning("proxy.report_lost", error=error.message)

    async def _report_use(self, choice: Choice, use: Mapping[str, Any]) -> None:
        pool, watcher = self.pool, self._rotation.watcher
        ok, failed, latency_ms = use["ok"], use["failed"], use["latency_ms"]
        name = pool.endpoints[choice.index].identity
        watcher.reported(pool.name, name, ok=ok, failed=failed, latency_ms=latency_ms)
        failed = max(0, failed - self._told.get(choice.index, 0))
        if choice.trial and not ok and use.get("unheard"):
            failed = max(failed, 1)  # heard nothing: no reason to send the next run there
        if failed or choice.trial:
            await self._report(choice, ok=ok, failed=failed, latency_ms=latency_ms)
        else:
            self._rotation.reports.add(pool, choice.index, ok=ok, latency_ms=latency_ms)

    async def _report(
        self, choice: Choice, *, ok: int = 0, failed: int = 0, latency_ms: int = 0, banned: str | None = None
    ) -> None:
        rotation = self._rotation
        report = ProxyReport(
            index=choice.index,
            number=choice.number,
            ok=ok,
            failed=failed,
            latency_ms=latency_ms,
            banned=banned,
            dice=rotation.throw(),
        )
        name = self.pool.endpoints[choice.index].identity
        verdict = await rotation.store.report(self.pool, report)
        if verdict.rested:
            rotation.watcher.rested(self.pool.name, name)
            self._log.warning(
                "proxy.rests", endpoint=name, until_ms=verdict.resting_until_ms, rests=verdict.rests
            )
        if banned is not None and verdict.banned_until_ms is not None:
            self._log.info("proxy.banned", endpoint=name, domain=banned, until_ms=verdict.banned_until_ms)


def _identity(use: Mapping[str, Any]) -> str:
    return Endpoint(
        protocol=use["protocol"], host=use["host"], port=use["port"], username=use.get("username")
    ).identity
