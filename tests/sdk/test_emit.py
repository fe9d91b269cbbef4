"""The emit verbs: payloads, refusals, the terminal guard."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest

from quarry import EmitError, TerminalEventError
from tests.sdk.support import Run


@pytest.mark.clause("EMIT-03")
async def test_each_verb_builds_its_payload():
    """Payloads have the fields of the contract; what was not given is left out."""
    run = Run()
    await run.emit.item("product", {"a": 1})
    await run.emit.checkpoint("page-1")
    await run.emit.checkpoint("page-2", "half")
    await run.emit.enqueue("x.py", {"u": 1})
    await run.emit.enqueue("x.py", {}, source="s", category="c")
    await run.emit.rotate_proxy()
    await run.emit.rotate_proxy("banned")
    await run.emit.log("info", "m")
    await run.emit.log("error", "m", {"k": 1})
    await run.emit.run_complete({"pages": 1})
    assert run.channel.events == [
        ("item", {"item_type": "product", "data": {"a": 1}}),
        ("checkpoint", {"checkpoint_id": "page-1"}),
        ("checkpoint", {"checkpoint_id": "page-2", "note": "half"}),
        ("enqueue", {"target": "x.py", "params": {"u": 1}}),
        ("enqueue", {"target": "x.py", "params": {}, "source": "s", "category": "c"}),
        ("rotate_proxy", {}),
        ("rotate_proxy", {"reason": "banned"}),
        ("log", {"level": "info", "message": "m"}),
        ("log", {"level": "error", "message": "m", "fields": {"k": 1}}),
        ("run_complete", {"summary": {"pages": 1}}),
    ]


@pytest.mark.clause("EMIT-03")
async def test_run_error_and_a_bare_completion():
    """A script's own run_error carries what it was given; a completion without summary is empty."""
    failed, done = Run(), Run()
    await failed.emit.run_error("Blocked", "captcha", "at x")
    await done.emit.run_complete()
    assert failed.channel.events == [
        ("run_error", {"error_type": "Blocked", "message": "captcha", "stack": "at x"})
    ]
    assert done.channel.events == [("run_complete", {})]
    assert failed.guard.error == ("Blocked", "captcha", "at x")


@pytest.mark.clause("EMIT-04")
async def test_log_verbs_emit_logs_of_their_level():
    """debug, info, warn and error are log with the level filled in."""
    run = Run()
    for level in ("debug", "info", "warn", "error"):
        await getattr(run.emit, level)("m", {"n": 1})
    assert [payload["level"] for _, payload in run.channel.events] == ["debug", "info", "warn", "error"]
    with pytest.raises(EmitError, match="level is 'warning'"):
        await run.emit.log("warning", "m")


BAD_CALLS = {
    "data.price[1] is NaN": lambda emit: emit.item("x", {"price": [1, math.nan]}),
    "data must be a dict, not list": lambda emit: emit.item("x", [1]),
    "item_type must be a string, not int": lambda emit: emit.item(3, {}),
    "item_type is empty": lambda emit: emit.item("", {}),
    "params must be a dict, not str": lambda emit: emit.enqueue("x.py", "url"),
    "target is empty": lambda emit: emit.enqueue("", {}),
    "source must be a string": lambda emit: emit.enqueue("x.py", {}, source=1),
    "fields.a is of type bytes": lambda emit: emit.info("m", {"a": b"1"}),
    "message must be a string": lambda emit: emit.info(3),
    "note must be a string": lambda emit: emit.checkpoint("c", 1),
    "reason holds a lone surrogate": lambda emit: emit.rotate_proxy("\ud800"),
    "summary must be a dict": lambda emit: emit.run_complete("done"),
    "error_type must be a string": lambda emit: emit.run_error(None, "m"),
    "data must be bytes, a path or an async iterator": lambda emit: emit.artifact("a", 5),
    "content_type is empty": lambda emit: emit.artifact("a", b"", ""),
}


@pytest.mark.clause("EMIT-06")
@pytest.mark.parametrize("message", BAD_CALLS)
async def test_a_refusal_names_the_place_and_the_authors_line(message):
    """The error says what is wrong and where the author wrote it; nothing was sent and the run goes on."""
    run = Run()
    with pytest.raises(EmitError) as raised:
        await BAD_CALLS[message](run.emit)
    assert message in str(raised.value)
    assert f"({Path(__file__)}:" in str(raised.value)
    assert run.channel.log == []
    await run.emit.item("x", {})
    assert run.channel.log == ["item"]


@pytest.mark.clause("EMIT-06")
async def test_the_line_is_the_one_that_called_the_verb():
    """Not the line that made the data, nor one of Quarry's."""
    run = Run()
    data = {"x": math.inf}
    with pytest.raises(EmitError) as raised:
        await run.emit.item("x", data)  # the line
    lines = Path(__file__).read_text().splitlines()
    number = int(str(raised.value).rpartition(":")[2].rstrip(")"))
    assert lines[number - 1].endswith("# the line")


@pytest.mark.clause("EMIT-06")
async def test_a_verb_run_as_a_task_is_refused_without_a_line():
    """No line of the script is on the stack then; the rest of the message stands."""
    run = Run()
    with pytest.raises(EmitError, match=r"data\.x is NaN"):
        await asyncio.create_task(run.emit.item("x", {"x": math.nan}))


@pytest.mark.clause("EMIT-07")
async def test_an_event_that_fits_no_frame_is_an_emit_error():
    """Too large for the wire reads as an error of the emit, with the line."""
    run = Run(max_event_chars=100)
    with pytest.raises(EmitError, match=r"emit\.item: a frame of too many bytes \(.*test_emit\.py:"):
        await run.emit.item("x", {"a": "y" * 200})


@pytest.mark.clause("EMIT-10")
async def test_nothing_follows_a_terminal_event():
    """Every verb and put raises after either terminal event."""
    for end in (lambda emit: emit.run_complete(), lambda emit: emit.run_error("E", "m")):
        run = Run()
        await end(run.emit)
        for late in (
            run.emit.item("x", {}),
            run.emit.enqueue("x", {}),
            run.emit.artifact("x", b""),
            run.emit.checkpoint("x"),
            run.emit.rotate_proxy(),
            run.emit.info("x"),
            run.emit.run_complete(),
            run.emit.run_error("E", "m"),
            run.storage.put("x", b""),
        ):
            with pytest.raises(TerminalEventError, match="terminal event"):
                await late
        assert len(run.channel.log) == 1


@pytest.mark.clause("EMIT-10")
async def test_the_guard_closes_at_the_call_of_the_terminal_verb():
    """What is called while the terminal event still waits comes too late, too."""
    run = Run()
    run.channel.open.clear()
    ending = asyncio.create_task(run.emit.run_complete())
    await asyncio.sleep(0)
    with pytest.raises(TerminalEventError):
        await run.emit.item("x", {})
    run.channel.open.set()
    await ending
    assert run.channel.log == ["run_complete"]


@pytest.mark.clause("EMIT-02")
async def test_a_terminal_event_that_was_not_sent_ends_nothing():
    """Cancelled while it waited, it never happened: the run can still emit."""
    run = Run()
    run.channel.open.clear()
    ending = asyncio.create_task(run.emit.run_complete())
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    run.channel.open.set()
    await run.emit.item("x", {})
    assert run.channel.log == ["item"]


@pytest.mark.clause("EMIT-11")
@pytest.mark.parametrize("key", ["skipped", "reason"])
async def test_reserved_summary_keys_are_refused(key):
    """They tell a skip apart, so a script can't use them."""
    run = Run()
    with pytest.raises(EmitError, match=f"summary.{key} is reserved"):
        await run.emit.run_complete({key: True})
    assert run.guard.terminal is None
