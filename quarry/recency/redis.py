"""Pools in Redis: each step is one Lua file, one round trip, at the time of Redis."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from quarry.recency.state import Entry, PoolState
from quarry.redisio import Retrier, ScriptFolder
from quarry.types.rotation import KEEP_MS, Choice, Definition, PoolTotals, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quarry.redisio import RedisClient
    from quarry.types.proxy import ProxyPool
    from quarry.types.rotation import Ask, PoolFigures, ProxyReport

WAIT_S = 30.0
"""Seconds that an absent Redis is waited for."""

_DEFINITIONS = "quarry:proxies"
_FIGURES = 9
_PARTS = ("meta", "out", "lru", "rests", "endpoints", "bans", "ban-ends")
_META, _RESTS = _PARTS.index("meta"), _PARTS.index("rests")


def recency_scripts() -> ScriptFolder:
    """Give the Lua files of this package."""
    return ScriptFolder(files("quarry.recency").joinpath("lua"))


class RedisRecency:
    """The `RecencyStore` of a fleet.

    A step whose reply was lost is made again: the first mark stays, as that of a run that died with its
    choice does.

    Args:
        client: Answers bytes.
        scripts: `recency_scripts()`.
        retrier: Waits for a Redis that is away; `WAIT_S` where none is given.
        clock_ms: Overrides the time of Redis, for tests; Unix milliseconds.
    """

    def __init__(
        self,
        client: RedisClient,
        *,
        scripts: ScriptFolder | None = None,
        retrier: Retrier | None = None,
        clock_ms: Callable[[], int] | None = None,
    ) -> None:
        self._client = client
        self._scripts = scripts or recency_scripts()
        self._retrier = retrier or Retrier(WAIT_S)
        self._clock_ms = clock_ms
        self._known: dict[tuple[str, str], tuple[bytes, ...]] = {}

    async def announce(self, pool: ProxyPool) -> list[Definition]:
        """Note that a definition is in use; answer as `definitions` does, in the same round trip."""
        about = (f"{pool.name} {pool.digest}", len(pool.endpoints), pool.strategy)
        return _definitions(await self._step("announce", [_DEFINITIONS], about))

    async def definitions(self) -> list[Definition]:
        """List the definitions in use within the last seven days, by name, then digest."""
        return _definitions(await self._step("announce", [_DEFINITIONS], ("",)))

    async def totals(self, definition: Definition) -> PoolTotals:
        """Count the choices of a definition, and the endpoints that rest; whoever has the pool itself."""
        keys = self._keys(definition)
        choices, resting = await self._step("totals", [keys[_META], keys[_RESTS]], ())
        return PoolTotals(choices=choices, resting=resting)

    async def choose(self, pool: ProxyPool, ask: Ask) -> Choice:
        """Exclude, pick and mark one endpoint.

        Raises:
            RedisUnavailableError: Redis stayed away.
            RedisRefusedError: Redis answered with an error.
        """
        keys: Sequence[str | bytes] = self._keys(pool)
        trial_ms = pool.health.trial_ms if pool.health.enabled else 0
        if ask.sticky is not None:
            keys = [*keys, _sticky_key(pool, ask.sticky)]
        reply: bytes = await self._step(
            "choose",
            keys,
            (
                ask.domain or "",
                f"{len(pool.endpoints)} {ask.window} {ask.sticky_ttl_ms} {trial_ms} {ask.dice} {ask.order}",
                *ask.exclude,
            ),
        )
        at, number, reason, trial = reply.decode().split(" ")
        return Choice(index=int(at), number=int(number), reason=reason, trial=trial == "1")

    async def peek(self, pool: ProxyPool, asks: Sequence[Ask]) -> list[Choice]:
        """Answer what `choose` would, to these questions in this order; mark nothing.

        The pool's whole state is read, O(n), and played on in memory.
        """
        state, now_ms = await self._snapshot(pool, [ask.sticky for ask in asks if ask.sticky is not None])
        return [state.choose(ask, now_ms) for ask in asks]

    async def report(self, pool: ProxyPool, report: ProxyReport) -> Verdict:
        """Count what a run found out, and let the endpoint rest where it must."""
        health = pool.health
        state, resting_until, rests, banned_until, rested = await self._step(
            "report",
            self._keys(pool),
            (
                report.index,
                report.number,
                report.ok,
                report.failed,
                report.latency_ms,
                report.banned or "",
                report.dice,
                pool.recency_window if pool.strategy == "random" else 0,
                int(health.enabled),
                health.failures,
                health.window_ms,
                health.rest_ms,
                health.max_rest_ms,
                health.ban_ms,
            ),
        )
        return Verdict(
            state=state.decode(),
            resting_until_ms=int(resting_until) or None,
            rests=int(rests),
            banned_until_ms=int(banned_until) or None,
            rested=rested == 1,
        )

    async def figures(self, pool: ProxyPool) -> PoolFigures:
        """Read everything that is known of a pool, at one moment; O(n)."""
        state, now_ms = await self._snapshot(pool, [])
        return state.figures(now_ms)

    async def _snapshot(self, pool: ProxyPool, sticky: list[str]) -> tuple[PoolState, int]:
        keys: list[str | bytes] = [*self._keys(pool), *(_sticky_key(pool, key) for key in sticky)]
        now, choices, following, entries, rests, bans, kept = await self._step("snapshot", keys, ())
        now_ms = int(now)
        state = PoolState(pool)
        state.choices, state.following = choices, following
        for at, packed in zip(entries[::2], entries[1::2], strict=True):
            numbers = [int(number) for number in json.loads(packed)]
            entry = Entry(*numbers[:_FIGURES], failures=numbers[_FIGURES:])
            entry.last, entry.trial = (n if n <= choices else 0 for n in (entry.last, entry.trial))
            state.entries[int(at)] = entry
        state.rests = {int(at): int(float(until)) for at, until in zip(rests[::2], rests[1::2], strict=True)}
        for field, ban in zip(bans[::2], bans[1::2], strict=True):
            at, domain = field.decode().split(" ", 1)
            until, level = ban.split()
            state.bans[int(at), domain] = (int(until), int(level))
        for key, value in zip(sticky, kept, strict=True):
            if value is not None:
                at, until = value.split()
                state.keys[key] = (int(at), int(until))
        state.restore()
        return state, now_ms

    def _keys(self, pool: ProxyPool | Definition) -> tuple[bytes, ...]:
        keys = self._known.get((pool.name, pool.digest))
        if keys is None:
            names = [f"quarry:proxy:{{{pool.name}:{pool.digest}}}:{part}" for part in _PARTS]
            keys = self._known[pool.name, pool.digest] = tuple(name.encode() for name in names)
        return keys

    async def _step(self, name: str, keys: Sequence[str | bytes], args: tuple[str | int, ...]) -> Any:
        clock = "" if self._clock_ms is None else self._clock_ms()
        script = self._scripts.get(name)
        return await self._retrier.run(lambda: script.run(self._client, keys, (clock, KEEP_MS, *args)))


def _sticky_key(pool: ProxyPool, key: str) -> str:
    """Name a sticky key: 128 bits of BLAKE2b, so that a key's length does not count."""
    digest = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
    return f"quarry:proxy:{{{pool.name}:{pool.digest}}}:key:{digest}"


def _definitions(reply: list[bytes]) -> list[Definition]:
    found = []
    for field, value in zip(reply[::2], reply[1::2], strict=True):
        name, digest = field.decode().rsplit(" ", 1)
        last_ms, size, strategy = value.decode().split(" ")
        found.append(
            Definition(name=name, digest=digest, last_ms=int(last_ms), size=int(size), strategy=strategy)
        )
    return sorted(found, key=lambda definition: (definition.name, definition.digest))
