"""Answers to rotate_proxy: to whom they go, and what happens where none comes."""

from __future__ import annotations

import asyncio

import pytest

from quarry.errors import ProxyRotationError, ScriptError
from quarry.executor.rotations import ANSWER_S, Rotations

pytestmark = [pytest.mark.clause("PROXY-16"), pytest.mark.clause("EMIT-25")]


async def test_answers_go_to_events_in_order():
    """The first answer ends the first wait, and no other."""
    rotations = Rotations(due=True)
    waits = [asyncio.create_task(rotations.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    for done in range(1, 4):
        rotations.answer()
        await waits[done - 1]
        assert [wait.done() for wait in waits] == [True] * done + [False] * (3 - done)


async def test_a_run_without_proxy_waits_for_nothing():
    """Its event is an event; an answer that comes all the same is ignored."""
    rotations = Rotations(due=False)
    rotations.answer()
    rotations.fail("x")
    await rotations.wait()


async def test_a_cancelled_wait_keeps_its_place():
    """The answer that it would have got goes to nobody else."""
    rotations = Rotations(due=True)
    first = asyncio.create_task(rotations.wait())
    second = asyncio.create_task(rotations.wait())
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    rotations.answer()
    await asyncio.sleep(0)
    assert not second.done()
    rotations.answer()
    await second


async def test_no_answer_in_time():
    """An error of the script that says why; the late answer belongs to the event that asked for it."""
    assert ANSWER_S > 30  # what the runtime may wait for its store
    rotations = Rotations(due=True, answer_s=0.02)
    with pytest.raises(ProxyRotationError, match=r"no answer within 0.02 seconds.*keeps the one") as raised:
        await rotations.wait()
    assert isinstance(raised.value, ScriptError)
    patient = asyncio.create_task(rotations.wait())
    await asyncio.sleep(0)
    rotations.answer()
    rotations.answer("it is wrong")
    with pytest.raises(ProxyRotationError, match="it is wrong"):
        await patient


async def test_no_answer_can_come_any_more():
    """Waits under way fail, and later ones at once."""
    rotations = Rotations(due=True)
    wait = asyncio.create_task(rotations.wait())
    await asyncio.sleep(0)
    rotations.fail("the runtime has closed stdin")
    for waiting in (wait, rotations.wait()):
        with pytest.raises(ProxyRotationError, match="closed stdin"):
            await waiting
