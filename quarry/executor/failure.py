"""Put an exception of a script into words that fit an event."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import NamedTuple

MAX_MESSAGE_CHARS = 8 * 1024
MAX_STACK_CHARS = 64 * 1024

_OWN = str(Path(__file__).parent)


class Failure(NamedTuple):
    """An exception in words.

    Attributes:
        error_type: Name of its class.
        message: What it says; its ``repr`` where it says nothing.
        stack: Traceback text, from the script's first line on.
    """

    error_type: str
    message: str
    stack: str


def describe(error: BaseException) -> Failure:
    """Describe an exception; never raises, whatever the exception's own methods do."""
    kind = type(error).__name__
    try:
        message = str(error) or repr(error)
    except Exception:  # noqa: BLE001 - a broken __str__ must not hide the error
        message = f"<{kind} whose text can't be made>"
    try:
        stack = "".join(_format(error))
    except Exception:  # noqa: BLE001
        stack = ""
    return Failure(
        _clean(kind, 200), _clean(message, MAX_MESSAGE_CHARS), _clean(stack, MAX_STACK_CHARS, end=True)
    )


def author_place(error: BaseException, path: str) -> str | None:
    """Give ``file:line`` of the innermost frame in a script, or of a syntax error."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    place = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == path:
            place = f"{path}:{line}"
    return place


def _format(error: BaseException) -> list[str]:
    """Format without the frames of the executor that called the script."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next and trace.tb_frame.f_code.co_filename.startswith(_OWN):
        trace = trace.tb_next
    return traceback.format_exception(type(error), error, trace)


def _clean(text: str, limit: int, *, end: bool = False) -> str:
    """Bound a text and replace what UTF-8 can't carry."""
    if len(text) > limit:
        text = f"…{text[-limit:]}" if end else f"{text[:limit]}…"
    return text.encode(errors="replace").decode()
