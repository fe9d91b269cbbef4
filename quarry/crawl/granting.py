"""What a run needs and its crawl must not hold: an endpoint with its password, the secrets of its job."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from quarry.config.job_secrets import NAME_RULE, is_secret_name
from quarry.config.pool_strategy import with_strategy
from quarry.errors import ConfigError, QuarryError, SchedulerError
from quarry.proxy import Circumstances
from quarry.redisio import RedisRefusedError
from quarry.runtime.job_secrets import find_references, resolve
from quarry.types import Outcome, OutcomeStatus, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from quarry.crawl.plan import CrawlPlan, JobPayload, PlanPool
    from quarry.proxy import Rotation, RunProxy
    from quarry.types.proxy import ProxyPool


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What one run got.

    Attributes:
        params: Its job, the secrets in place.
        secrets: Those, by name.
        proxy: Its endpoints; None where it has no pool.
    """

    params: Any = field(repr=False)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    proxy: RunProxy | None = None


ANNOUNCED_MS = 15 * 60 * 1000
"""How long an announcement counts; workers repeat theirs every five minutes."""


class NotGrantedError(SchedulerError):
    """This machine lacks what a run needs; another one may have it.

    Args:
        message: What is lacking.
        outcome: How the run ends where no other is asked.
    """

    code = "not_granted"

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome


class Granting:
    """The pools and secrets of this machine.

    Args:
        pools: By name, as this machine's configuration defines them.
        secret_of: Gives a secret by its name; None where there is none.
        rotation: Gives endpoints; None where this process has no pools.
        host: Name of this machine, for messages.
    """

    def __init__(
        self,
        *,
        pools: Mapping[str, ProxyPool] | None = None,
        secret_of: Callable[[str], Secret | None] = lambda _name: None,
        rotation: Rotation | None = None,
        host: str | None = None,
    ) -> None:
        self._pools = dict(pools or {})
        self._secret_of = secret_of
        self._rotation = rotation
        self._host = host or socket.gethostname()
        self._known: dict[tuple[str, PlanPool | None], ProxyPool | None] = {}
        self._log = structlog.get_logger("quarry.crawl")

    async def grant(self, plan: CrawlPlan, key: str, job: JobPayload) -> Grant | Outcome:
        """Look up what a run needs.

        Returns:
            It, or how the run ends instead.

        Raises:
            QuarryError: The store of the pools is away: the run is delivered again.
        """
        names = find_references(job.params)
        found = {name: self._secret_of(name) for name in names}
        missing = [name for name, secret in found.items() if secret is None]
        if missing:
            return _refused("unknown_secret", self._lacks(missing))
        pool = self._pool_of(plan, job)
        if isinstance(pool, Outcome):
            return pool
        secrets = {name: secret for name, secret in found.items() if secret is not None}
        params = resolve(job.params, secrets) if secrets else job.params
        if pool is None or self._rotation is None:
            return Grant(params=params, secrets=secrets)
        circumstances = Circumstances.of(
            key,
            job.params,
            sticky_key=plan.proxy_sticky_key,
            domain=plan.proxy_domain,
            origin=plan.proxy_origin,
        )
        try:
            proxy = await self._rotation.take(pool, circumstances)
        except RedisRefusedError as error:
            # It is there and says no: waiting for it, as for one that is away, would end in "lost" workers.
            return _refused(
                "proxy_store_refused",
                f"no endpoint of proxy pool {pool.name!r} on {self._host}: {error.message}",
            )
        return Grant(params=params, secrets=secrets, proxy=proxy)

    async def announce(self) -> None:
        """Tell the fleet which pools this machine has, so that others leave their runs to it."""
        try:
            for pool in self._pools.values():
                if self._rotation is not None:
                    await self._rotation.announce(pool)
        except QuarryError as error:
            self._log.warning("proxy.announce_failed", error=error.message)

    async def is_served_elsewhere(self, plan: CrawlPlan) -> bool:
        """Say whether somebody in the fleet has all pools of a crawl, as was announced of late.

        Raises:
            QuarryError: The store is away.
        """
        if self._rotation is None or not plan.proxies:
            return False
        since_ms = time.time() * 1000 - ANNOUNCED_MS
        known = {
            (definition.name, definition.digest)
            for definition in await self._rotation.store.definitions()
            if definition.last_ms > since_ms
        }
        return all((name, wanted.digest) in known for name, wanted in plan.proxies.items())

    async def close(self) -> None:
        """Report what waits to be reported of endpoints."""
        if self._rotation is not None:
            await self._rotation.close()

    def _lacks(self, names: list[str]) -> str:
        told = f"no secret {', '.join(map(repr, names))} on {self._host}"
        if not all(map(is_secret_name, names)):
            return f"{told}: {NAME_RULE}"
        return (
            f"{told}: set QUARRY_SECRET_NAME in the worker's environment, or secrets: in its configuration"
            " (4 characters or more)"
        )

    def _pool_of(self, plan: CrawlPlan, job: JobPayload) -> ProxyPool | Outcome | None:
        if job.proxy is None:
            return None
        wanted = plan.proxies.get(job.proxy)
        key = (job.proxy, wanted)
        if key not in self._known:
            self._known[key] = _find_pool(self._pools, job.proxy, wanted)
        pool = self._known[key]
        if pool is None:
            return _refused(
                "unknown_proxy_pool",
                f"{self._host} has no proxy pool {job.proxy!r}: define it in the file that QUARRY_CONFIG"
                " names there",
            )
        if wanted is not None and pool.digest != wanted.digest:
            return _refused(
                "proxy_mismatch",
                f"proxy pool {job.proxy!r} on {self._host} is not the crawl's: another list of endpoints,"
                " order, strategy or window; give all machines one definition",
            )
        return pool


def check_pools(plan: CrawlPlan, pools: Mapping[str, ProxyPool]) -> None:
    """Refuse to go on with a crawl whose pools this configuration does not define as the crawl's own did.

    Raises:
        ConfigError: With every such pool.
    """
    problems = []
    for name, wanted in plan.proxies.items():
        own = _find_pool(pools, name, wanted)
        if own is None:
            problems.append(
                f"crawl {plan.crawl} uses the proxy pool {name!r}, which is not defined: name the"
                " configuration file of the first command (--config)"
            )
        elif own.digest != wanted.digest:
            problems.append(
                f"crawl {plan.crawl} uses the proxy pool {name!r} with another list of endpoints, order,"
                " strategy or window: give it the definition of the first command"
            )
    if problems:
        raise ConfigError(problems)


def _find_pool(pools: Mapping[str, ProxyPool], name: str, wanted: PlanPool | None) -> ProxyPool | None:
    """Give a pool with the strategy that a crawl uses it with; None where either lacks it."""
    own = pools.get(name)
    return None if own is None or wanted is None else with_strategy(own, wanted.strategy)


def _refused(error_type: str, message: str) -> Outcome:
    return Outcome(status=OutcomeStatus.EXECUTOR_CRASH, message=message, error_type=error_type)
