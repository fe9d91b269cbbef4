"""The suite that every store of proxy pools passes."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from quarry.types.proxy import Endpoint, Health, ProxyPool, Sticky
from quarry.types.rotation import Ask, Choice, ProxyReport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from quarry.proxy import RecencyStore

_HALF = 2**31
_MOST = 2**32 - 1


def make_pool(
    size: int,
    *,
    name: str = "pool",
    strategy: str = "round_robin",
    window: int = 0,
    sticky: Sticky | None = None,
    health: Health | None = None,
) -> ProxyPool:
    """Make a pool of endpoints that are not there.

    Args:
        size: Endpoints.
        name: Of the pool.
        strategy: Of the pool.
        window: Recency window.
        sticky: Where the strategy is ``sticky``.
        health: None is the default.
    """
    endpoints = tuple(Endpoint(protocol="http", host="192.0.2.1", port=1 + at) for at in range(size))
    return ProxyPool(
        name=name,
        strategy=strategy,
        endpoints=endpoints,
        sticky=sticky or (Sticky() if strategy == "sticky" else None),
        recency_window=window,
        health=health or Health(),
    )


class RecencyStoreSuite:
    """Subclass it with the prefix ``Test`` and say how a store is made; pytest finds the rest."""

    def open_store(self, clock_ms: Callable[[], int]) -> AbstractAsyncContextManager[RecencyStore]:
        """Open an empty store whose time is the given clock's, Unix milliseconds."""
        raise NotImplementedError

    def run(self, body: Callable[[RecencyStore, list[int]], Awaitable[None]]) -> None:
        """Run a test's body with a store and its clock, a list of one number."""

        async def main() -> None:
            clock = [1_700_000_000_000]
            async with self.open_store(lambda: clock[0]) as store:
                await body(store, clock)

        asyncio.run(main())

    def test_round_robin_takes_one_after_the_other(self) -> None:
        """Numbers rise by one, positions go round."""

        async def body(store: RecencyStore, _: list[int]) -> None:
            pool = make_pool(3)
            choices = [await store.choose(pool, Ask(order="next")) for _ in range(7)]
            assert [choice.index for choice in choices] == [0, 1, 2, 0, 1, 2, 0]
            assert [choice.number for choice in choices] == [1, 2, 3, 4, 5, 6, 7]
            assert {choice.reason for choice in choices} == {"free"}

        self.run(body)

    def test_random_leaves_the_window_out(self) -> None:
        """No endpoint is among the last choices, whatever the dice say."""

        async def body(store: RecencyStore, _: list[int]) -> None:
            pool = make_pool(5, strategy="random", window=3)
            chosen: list[int] = []
            for dice in (0, _MOST, _HALF, 0, 0, 0, _MOST, _HALF, _HALF, 0, _MOST, _MOST):
                choice = await store.choose(pool, Ask(order="random", window=3, dice=dice))
                assert choice.index not in chosen[-3:]
                chosen.append(choice.index)

        self.run(body)

    def test_falls_back_to_the_least_recent(self) -> None:
        """A window as large as the pool leaves nothing; the oldest is taken, and nothing blocks."""

        async def body(store: RecencyStore, _: list[int]) -> None:
            pool = make_pool(3, strategy="random", window=9)
            ask = Ask(order="random", window=9, dice=_HALF)
            first = [(await store.choose(pool, ask)).index for _ in range(3)]
            again = [await store.choose(pool, ask) for _ in range(3)]
            assert sorted(first) == [0, 1, 2]
            assert [choice.index for choice in again] == first
            assert {choice.reason for choice in again} == {"least_recent"}

        self.run(body)

    def test_sticky_keys_keep_their_endpoint_from_the_last_use(self) -> None:
        """The time to live begins anew with each use, and is over at its end."""

        async def body(store: RecencyStore, clock: list[int]) -> None:
            pool = make_pool(4, strategy="sticky", sticky=Sticky(ttl_ms=1000))
            one = Ask(order="next", sticky="one", sticky_ttl_ms=1000)
            two = Ask(order="next", sticky="two", sticky_ttl_ms=1000)
            assert (await store.choose(pool, one)).index == 0
            assert (await store.choose(pool, two)).index == 1
            for _ in range(3):
                clock[0] += 900
                assert (await store.choose(pool, one)).reason == "sticky"
            clock[0] += 999
            assert [choice.reason for choice in await store.peek(pool, [one, two])] == ["sticky", "free"]
            clock[0] += 1
            assert (await store.choose(pool, one)).reason == "free"

        self.run(body)

    def test_peek_marks_nothing(self) -> None:
        """What is peeked is what comes, twice over."""

        async def body(store: RecencyStore, _: list[int]) -> None:
            pool = make_pool(7, strategy="random", window=4)
            asks = [Ask(order="random", window=4, dice=(at * 2654435761) % 2**32) for at in range(9)]
            await store.choose(pool, asks[0])
            before = await store.figures(pool)
            peeked = await store.peek(pool, asks)
            assert await store.peek(pool, asks) == peeked
            assert await store.figures(pool) == before
            assert [await store.choose(pool, ask) for ask in asks] == peeked

        self.run(body)

    def test_definitions_of_one_name_share_nothing(self) -> None:
        """Another list, or another order of it, has a rotation of its own, and both are known."""

        async def body(store: RecencyStore, _: list[int]) -> None:
            pool, other = make_pool(3), make_pool(4)
            for each in (pool, other):
                await store.announce(each)
                assert (await store.choose(each, Ask(order="next"))).number == 1
            known = await store.definitions()
            assert {(d.name, d.digest, d.size) for d in known} == {
                ("pool", pool.digest, 3),
                ("pool", other.digest, 4),
            }

        self.run(body)

    def test_failures_rest_an_endpoint_and_one_trial_brings_it_back(self) -> None:
        """So many failures within their window; then one run alone tries it."""

        async def body(store: RecencyStore, clock: list[int]) -> None:
            pool = make_pool(2, health=Health(failures=2, window_ms=100, rest_ms=1000, trial_ms=500))
            await _fail(store, pool, 0)
            clock[0] += 100
            assert (await _fail(store, pool, 0)).state == "healthy"
            verdict = await _fail(store, pool, 0)
            assert verdict.rested
            assert verdict.resting_until_ms == clock[0] + 500  # half of the rest: the dice show 0
            assert [await _next(store, pool) for _ in range(2)] == [(1, "free", False)] * 2
            clock[0] += 500
            assert (0, "free", True) in [await _next(store, pool) for _ in range(2)]
            assert [await _next(store, pool) for _ in range(2)] == [(1, "free", False)] * 2
            number = (await store.figures(pool)).endpoints[0].last_number
            assert (await store.report(pool, ProxyReport(index=0, number=number, ok=1))).state == "healthy"
            assert {(await _next(store, pool))[0] for _ in range(2)} == {0, 1}

        self.run(body)

    def test_rests_grow_with_failed_trials(self) -> None:
        """Twice as long each time, up to the longest; what was in flight makes none longer."""

        async def body(store: RecencyStore, clock: list[int]) -> None:
            pool = make_pool(2, health=Health(failures=1, rest_ms=1000, max_rest_ms=3000))
            lengths = []
            await _fail(store, pool, 0)
            for _ in range(4):
                assert not (await _fail(store, pool, 0)).rested
                resting_until = (await store.figures(pool)).endpoints[0].resting_until_ms
                assert resting_until is not None
                lengths.append(resting_until - clock[0])
                clock[0] = resting_until
                trial = await _trial(store, pool)
                assert trial.index == 0
                await store.report(pool, ProxyReport(index=0, number=trial.number, failed=1))
            assert lengths == [500, 1000, 1500, 1500]

        self.run(body)

    def test_all_resting_gives_the_least_bad(self) -> None:
        """The one whose rest ends first, and it is said."""

        async def body(store: RecencyStore, clock: list[int]) -> None:
            pool = make_pool(2, health=Health(failures=1))
            await _fail(store, pool, 1)
            clock[0] += 10
            await _fail(store, pool, 0)
            choice = await store.choose(pool, Ask(order="next"))
            assert (choice.index, choice.reason, choice.trial) == (1, "resting", False)

        self.run(body)

    def test_all_resting_spreads_the_load(self) -> None:
        """A pool behind one outage must not fall upon one address."""

        async def body(store: RecencyStore, _: list[int]) -> None:
            pool = make_pool(5, health=Health(failures=1))
            for at in range(5):
                await _fail(store, pool, at)
            asks = [Ask(order="next", dice=at * 2654435761 % 2**32) for at in range(100)]
            counts = Counter([(await store.choose(pool, ask)).index for ask in asks])
            assert min(counts.values()) > 5  # noqa: PLR2004

        self.run(body)

    def test_a_trial_is_decided_however_late_its_report_comes(self) -> None:
        """Runs that take longer than a trial bring the endpoint back all the same."""

        async def body(store: RecencyStore, clock: list[int]) -> None:
            pool = make_pool(1, health=Health(failures=1, rest_ms=100, trial_ms=100))
            await _fail(store, pool, 0)
            clock[0] += 100
            first = await _trial(store, pool)
            for _ in range(3):
                clock[0] += 100
                assert (await _trial(store, pool)).number > first.number
            late = ProxyReport(index=0, number=first.number, ok=1)
            assert (await store.report(pool, late)).state == "healthy"
            assert await _next(store, pool) == (0, "free", False)

        self.run(body)

    def test_health_that_is_turned_off_lets_everything_back(self) -> None:
        """At once: its user does so because endpoints rest that should not."""

        async def body(store: RecencyStore, _: list[int]) -> None:
            pool = make_pool(3, health=Health(failures=1))
            await _fail(store, pool, 0)
            await store.report(pool, ProxyReport(index=1, number=0, ok=1, banned="a.example"))
            off = make_pool(3, health=Health(enabled=False))
            asks = [Ask(order="next", domain="a.example")] * 6
            assert sorted([(await store.choose(off, ask)).index for ask in asks]) == [0, 0, 1, 1, 2, 2]
            assert not (await _fail(store, off, 0)).rested

        self.run(body)

    def test_bans_elsewhere_do_not_bend_round_robin(self) -> None:
        """A target at which one endpoint is banned takes turns with one at which none is."""

        async def body(store: RecencyStore, _: list[int]) -> None:
            pool = make_pool(3)
            counts: dict[str, Counter[int]] = {"x": Counter(), "y": Counter()}
            await store.report(pool, ProxyReport(index=0, number=0, ok=1, banned="x"))
            for at in range(300):
                for domain, counter in counts.items():
                    ask = Ask(order="next", domain=domain, dice=at * 2654435761 % 2**32)
                    counter[(await store.choose(pool, ask)).index] += 1
            assert counts["x"][0] == 0
            assert min(counts["x"][1], counts["x"][2]) > 100  # noqa: PLR2004
            assert min(counts["y"].values()) > 80  # noqa: PLR2004

        self.run(body)

    def test_a_ban_holds_for_its_domain_only(self) -> None:
        """Other targets go on through the endpoint."""

        async def body(store: RecencyStore, clock: list[int]) -> None:
            pool = make_pool(2, health=Health(ban_ms=1000))
            report = ProxyReport(index=0, number=1, ok=1, banned="a.example")
            assert (await store.report(pool, report)).banned_until_ms == clock[0] + 500
            asks = [Ask(order="next", domain=domain) for domain in ("a.example", "b.example")]
            there = [(await store.choose(pool, asks[0])).index for _ in range(4)]
            elsewhere = {(await store.choose(pool, asks[1])).index for _ in range(4)}
            assert (there, elsewhere) == ([1] * 4, {0, 1})
            await store.report(pool, ProxyReport(index=1, number=2, ok=1, banned="a.example"))
            assert (await store.choose(pool, asks[0])).reason == "banned"
            clock[0] += 500
            assert (await store.choose(pool, asks[0])).reason == "free"

        self.run(body)

    def test_what_a_run_gave_up_comes_last(self) -> None:
        """It is left out while there is another, and taken when there is none."""

        async def body(store: RecencyStore, _: list[int]) -> None:
            pool = make_pool(2)
            choice = await store.choose(pool, Ask(order="next", exclude=(0,)))
            assert (choice.index, choice.reason) == (1, "free")
            assert (await store.choose(pool, Ask(order="next", exclude=(0, 1)))).reason == "given_up"

        self.run(body)

    def test_figures_add_up(self) -> None:
        """Choices and what was reported of them, by endpoint."""

        async def body(store: RecencyStore, clock: list[int]) -> None:
            pool = make_pool(3)
            for _ in range(4):
                await store.choose(pool, Ask(order="next"))
            await store.report(pool, ProxyReport(index=1, number=2, ok=3, failed=1, latency_ms=120))
            figures = await store.figures(pool)
            assert figures.choices == 4  # noqa: PLR2004
            assert {at: e.chosen for at, e in figures.endpoints.items()} == {0: 2, 1: 1, 2: 1}
            told = figures.endpoints[1]
            assert (told.ok, told.failed, told.latency_ms) == (3, 1, 120)
            assert told.last_used_ms == clock[0]

        self.run(body)


async def _next(store: RecencyStore, pool: ProxyPool) -> tuple[int, str, bool]:
    choice = await store.choose(pool, Ask(order="next"))
    return choice.index, choice.reason, choice.trial


async def _trial(store: RecencyStore, pool: ProxyPool) -> Choice:
    for _ in range(len(pool.endpoints)):
        choice = await store.choose(pool, Ask(order="next"))
        if choice.trial:
            return choice
    raise AssertionError("no endpoint came back for a trial")


async def _fail(store: RecencyStore, pool: ProxyPool, index: int) -> Any:
    return await store.report(pool, ProxyReport(index=index, number=0, failed=1))
