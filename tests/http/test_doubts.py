"""The questions whether a 401 or 407 is the proxy's own, and whether it lives: how often, and what comes of the answer."""

from __future__ import annotations

import asyncio

import pytest

from quarry.http.doubts import LIFELESS_S, LIVES_S, MAX_ENDPOINTS, REMEMBERED_S, Doubts, is_doubtful
from quarry.http.transport import Tunnel
from quarry.types.proxy import Endpoint
from quarry.types.secret import Secret


def endpoint(protocol="http", password="p", port=1):
    return Endpoint(
        protocol=protocol,
        host="h",
        port=port,
        username=password and "u",
        password=password and Secret(password),
    )


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Asked:
    """Gives an answer, counts the questions; holds them back until it is opened."""

    def __init__(self, tunnel):
        self.tunnel = tunnel
        self.questions = 0
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self):
        self.questions += 1
        await self.open.wait()
        if isinstance(self.tunnel, Exception):
            raise self.tunnel
        return self.tunnel


def test_what_is_doubtful():
    """401 where there are credentials to refuse, 407 always; never in a tunnel, over SOCKS or without a proxy."""
    assert is_doubtful(401, "http://t/", endpoint())
    assert is_doubtful(407, "HTTP://t/", endpoint("https", None))
    assert not is_doubtful(401, "http://t/", endpoint("http", None))
    assert not is_doubtful(401, "https://t/", endpoint())
    assert not is_doubtful(407, "http://t/", endpoint("socks5"))
    assert not is_doubtful(407, "http://t/", None)
    assert not is_doubtful(403, "http://t/", endpoint())


CASES = {
    "says 401 itself": (Tunnel(stood=False, answer=401, by_proxy=True), {401: True, 407: True}),
    "says 407 itself": (Tunnel(stood=False, answer=407, by_proxy=True), {401: True, 407: True}),
    "makes the tunnel": (Tunnel(stood=True), {401: False, 407: False}),
    "can't reach the target": (Tunnel(stood=False, answer=502), {401: False, 407: False}),
    "makes no tunnels": (Tunnel(stood=False, answer=405, by_proxy=True), {401: False, 407: True}),
    "gives no answer": (Tunnel(stood=False), {401: False, 407: True}),
    "can't be asked": (OSError("x"), {401: False, 407: True}),
}


@pytest.mark.clause("PROXY-18")
@pytest.mark.parametrize("case", CASES)
async def test_what_is_made_of_the_answer(case):
    """The proxy that refuses a tunnel for the credentials has refused the request too."""
    tunnel, verdicts = CASES[case]
    for status, verdict in verdicts.items():
        assert await Doubts().refused(endpoint(), status, Asked(tunnel)) is verdict


@pytest.mark.clause("PROXY-18")
async def test_one_question_a_minute_and_endpoint():
    """However many ask at once; another password is another endpoint; a verdict ends."""
    clock = Clock()
    doubts, asked = Doubts(clock), Asked(Tunnel(stood=True))
    asked.open.clear()
    first = asyncio.create_task(doubts.refused(endpoint(), 401, asked))
    rest = [asyncio.create_task(doubts.refused(endpoint(), 401, asked)) for _ in range(20)]
    while not asked.questions:
        await asyncio.sleep(0)
    first.cancel()
    asked.open.set()
    assert await asyncio.gather(*rest) == [False] * 20
    assert asked.questions == 1
    await doubts.refused(endpoint(password="other"), 401, asked)
    assert asked.questions == 2
    clock.now += REMEMBERED_S - 1
    await doubts.refused(endpoint(), 401, asked)
    assert asked.questions == 2
    clock.now += 1
    await doubts.refused(endpoint(), 401, asked)
    assert asked.questions == 3


@pytest.mark.clause("PROXY-18")
async def test_what_counts_as_life():
    """Everything but silence; where nothing could be asked, the proxy is not blamed."""
    silence = Tunnel(stood=False, lifeless=True)
    assert not await Doubts().lives(endpoint(), Asked(silence))
    for sign in (Tunnel(stood=True), Tunnel(stood=False, answer=403, by_proxy=True), OSError("x")):
        assert await Doubts().lives(endpoint(), Asked(sign))


@pytest.mark.clause("PROXY-18")
async def test_how_long_a_sign_of_life_holds():
    """From its answer on; silence for less time, and less than any rest: who tries the proxy after one asks anew."""
    clock = Clock()
    assert LIFELESS_S < LIVES_S <= 15
    for tunnel, held_s in ((Tunnel(stood=True), LIVES_S), (Tunnel(stood=False, lifeless=True), LIFELESS_S)):
        doubts, asked = Doubts(clock), Asked(tunnel)
        asked.open.clear()
        first = asyncio.create_task(doubts.lives(endpoint(), asked))
        while not asked.questions:
            await asyncio.sleep(0)
        clock.now += 5  # so long the answer takes
        asked.open.set()
        assert await first is tunnel.stood
        for after_s, questions in ((held_s - 1, 1), (1, 2)):
            clock.now += after_s
            assert await doubts.lives(endpoint(), asked) is tunnel.stood
            assert asked.questions == questions


async def test_closing_ends_the_questions():
    """They have ended when it returns; whoever asks then asks anew."""
    doubts, ended = Doubts(), []

    async def ask():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    asking = asyncio.create_task(doubts.lives(endpoint(), ask))
    while not doubts._verdicts:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    await doubts.close()
    assert ended == [True]
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await doubts.lives(endpoint(), Asked(Tunnel(stood=True)))


async def test_verdicts_are_bounded():
    """The oldest goes first."""
    doubts, asked = Doubts(), Asked(Tunnel(stood=True))
    for port in range(1, MAX_ENDPOINTS + 2):
        await doubts.refused(endpoint(port=port), 401, asked)
    asked.questions = 0
    await doubts.refused(endpoint(port=MAX_ENDPOINTS), 401, asked)
    assert asked.questions == 0
    await doubts.refused(endpoint(port=1), 401, asked)
    assert asked.questions == 1
    await doubts.close()
