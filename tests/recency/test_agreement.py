"""Both stores answer alike, and keep each strategy's promise, under random pools, windows and interleavings."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quarry.recency import MemoryRecency, RedisRecency
from quarry.redisio import make_client
from quarry.testing import make_pool
from quarry.types.proxy import Health, Sticky
from quarry.types.rotation import Ask, Choice, ProxyReport

_DICE = st.integers(0, 2**32 - 1)
_HEALTH = st.builds(
    Health,
    enabled=st.booleans(),
    failures=st.integers(1, 3),
    window_ms=st.just(500),
    rest_ms=st.sampled_from([1, 300]),
    max_rest_ms=st.just(2000),
    trial_ms=st.just(400),
    ban_ms=st.just(300),
)


@st.composite
def _pools(draw):
    size, strategy = draw(st.integers(1, 9)), draw(st.sampled_from(["round_robin", "random", "sticky"]))
    window = draw(st.integers(0, size + 2)) if strategy == "random" else 0
    sticky = Sticky(ttl_ms=draw(st.sampled_from([200, 5000]))) if strategy == "sticky" else None
    return make_pool(size, strategy=strategy, window=window, sticky=sticky, health=draw(_HEALTH))


@st.composite
def _programs(draw):
    pool = draw(_pools())
    positions = st.integers(0, len(pool.endpoints) - 1)
    choose = st.tuples(
        st.just("choose"),
        st.sampled_from(["k1", "k2", "k3"]),
        st.sets(positions, max_size=2),
        st.sampled_from([None, "a", "b"]),
        _DICE,
    )
    report = st.tuples(
        st.just("report"),
        st.integers(1, 6),
        st.sampled_from([(1, 0), (0, 1), (0, 3), (2, 1), (0, 0)]),
        st.sampled_from([None, None, "a"]),
        _DICE,
    )
    wait = st.tuples(st.just("wait"), st.sampled_from([1, 99, 150, 1000, 6000]))
    switch = st.tuples(st.just("health"), st.booleans())
    return pool, draw(st.lists(st.one_of(choose, choose, report, wait, switch), max_size=40))


def _ask(pool, key, given_up, domain, dice):
    return Ask(
        order="random" if pool.strategy == "random" else "next",
        window=pool.recency_window,
        sticky=key if pool.sticky else None,
        sticky_ttl_ms=pool.sticky.ttl_ms if pool.sticky else 1,
        exclude=tuple(sorted(given_up)),
        domain=domain,
        dice=dice,
    )


class _Pair:
    """A pool in memory and in Redis, at one time."""

    def __init__(self, client):
        self.now = 1_700_000_000_000
        self.memory = MemoryRecency(lambda: self.now)
        self.redis = RedisRecency(client, clock_ms=lambda: self.now)

    async def both(self, step):
        expected, found = await step(self.memory), await step(self.redis)
        assert found == expected
        return found


async def _play(server, pool, program):
    client = make_client(server.url)
    try:
        await client.flushall()
        pair, choices = _Pair(client), []
        for name, *rest in program:
            if name == "wait":
                pair.now += rest[0]
            elif name == "health":
                health = dataclasses.replace(pool.health, enabled=rest[0])
                pool = dataclasses.replace(pool, health=health)
            elif name == "choose":
                ask = _ask(pool, *rest)
                peeked = await pair.both(lambda store, ask=ask, pool=pool: store.peek(pool, [ask]))
                choice = await pair.both(lambda store, ask=ask, pool=pool: store.choose(pool, ask))
                assert peeked == [choice]
                choices.append((choice, ask))
            else:
                back, (ok, failed), banned, dice = rest
                # Before the first choice: of a run whose choice Redis has lost.
                choice = (
                    choices[-min(back, len(choices))][0] if choices else Choice(index=0, number=9, reason="")
                )
                told = ProxyReport(
                    index=choice.index,
                    number=choice.number,
                    ok=ok,
                    failed=failed,
                    latency_ms=ok * 7,
                    banned=banned,
                    dice=dice,
                )
                await pair.both(lambda store, told=told, pool=pool: store.report(pool, told))
        await pair.both(lambda store: store.figures(pool))
        await _come_to_rest(pair, pool)
        return choices
    finally:
        await client.aclose()


async def _come_to_rest(pair, pool):
    """Nobody is out for ever: when all go well for a while, every endpoint is healthy and takes part."""
    size = len(pool.endpoints)
    pair.now += 60_000
    seen = set()
    for at in range(60 * size):
        pair.now += 50
        ask = _ask(pool, f"fresh {at}", (), None, at * 2654435761 % 2**32)
        choice = await pair.both(lambda store, ask=ask: store.choose(pool, ask))
        told = ProxyReport(index=choice.index, number=choice.number, ok=1)
        await pair.both(lambda store, told=told: store.report(pool, told))
        seen.add(choice.index)
        if len(seen) == size:
            break
    assert len(seen) == size
    figures = await pair.both(lambda store: store.figures(pool))
    assert {entry.state for entry in figures.endpoints.values()} == {"healthy"}


@pytest.mark.clause("PROXY-13")
@pytest.mark.clause("PROXY-19")
@pytest.mark.clause("PROXY-09")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_programs())
def test_memory_and_server_agree_step_by_step(server, program):
    """Choices, verdicts, peeks and figures are equal for any program; numbers have no gap; windows hold."""
    pool, steps = program
    choices = asyncio.run(_play(server, pool, steps))
    assert [choice.number for choice, _ in choices] == list(range(1, len(choices) + 1))
    for at, (choice, ask) in enumerate(choices):
        recent = {earlier.index for earlier, _ in choices[max(0, at - ask.window) : at]}
        if choice.reason == "free" and ask.window:
            assert choice.index not in recent
        if choice.reason in {"free", "least_recent"}:
            assert choice.index not in ask.exclude


@pytest.mark.clause("PROXY-05")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 12), st.integers(0, 60))
def test_round_robin_is_even(server, size, count):
    """Counts by endpoint differ by at most one at every moment."""
    pool = make_pool(size)
    program = [("choose", "", (), None, 0)] * count
    counts = Counter(range(size))
    for choice, _ in asyncio.run(_play(server, pool, program)):
        counts[choice.index] += 1
        assert max(counts.values()) - min(counts.values()) <= 1


class _Naive:
    """Each strategy in the fewest words, without health: what the stores must do, however they do it."""

    def __init__(self, pool):
        self.pool, self.size = pool, len(pool.endpoints)
        self.turn, self.history, self.keys = 0, [], {}

    def allowed(self, ask, now):
        """Positions that may be chosen now, and the reason."""
        if ask.sticky is not None:
            at, until = self.keys.get(ask.sticky, (None, 0))
            if until > now:
                return {at}, "sticky"
        if self.pool.strategy != "random":
            return {self.turn}, "free"
        recent = set(self.history[max(0, len(self.history) - ask.window) :]) if ask.window else set()
        free = set(range(self.size)) - recent
        if free:
            return free, "free"
        oldest = min(recent, key=lambda at: max(i for i, seen in enumerate(self.history) if seen == at))
        return {oldest}, "least_recent"

    def note(self, ask, choice, now):
        """Learn what was chosen."""
        self.history.append(choice.index)
        if ask.sticky is not None:
            self.keys[ask.sticky] = (choice.index, now + ask.sticky_ttl_ms)
        if choice.reason != "sticky" and ask.order == "next":
            self.turn = (choice.index + 1) % self.size


@pytest.mark.clause("PROXY-06")
@pytest.mark.clause("PROXY-07")
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    _pools(),
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([0, 50, 199, 200]), _DICE), max_size=40),
)
def test_each_strategy_is_what_its_name_says(server, pool, steps):
    """Both stores against a model that knows no sorted sets: rounds, windows, the oldest, keys and their time."""

    async def play():
        client = make_client(server.url)
        await client.flushall()
        pair, naive = _Pair(client), _Naive(pool)
        for key, wait, dice in steps:
            pair.now += wait
            ask = _ask(pool, key, (), None, dice)
            positions, reason = naive.allowed(ask, pair.now)
            choice = await pair.both(lambda store, ask=ask: store.choose(pool, ask))
            assert choice.index in positions
            assert choice.reason == reason
            naive.note(ask, choice, pair.now)
        await client.aclose()

    asyncio.run(play())
