"""Find the line of the author's code that called a verb."""

from __future__ import annotations

import os
import sys

_OWN = __file__.rpartition(f"{os.sep}sdk{os.sep}")[0] + os.sep


def author_line() -> str | None:
    """Give ``file:line`` of the innermost caller outside Quarry and asyncio.

    Returns:
        None where there is none: the verb was wrapped in a task of its own, so that no line of the script
        is on the stack.
    """
    import asyncio  # here: importing the package must stay cheap

    passed_over = (_OWN, os.path.dirname(asyncio.__file__) + os.sep, "<frozen")
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way without building a whole traceback
    while True:
        path = frame.f_code.co_filename
        if not path.startswith(passed_over):
            return f"{path}:{frame.f_lineno}"
        parent = frame.f_back
        if parent is None:
            break
        frame = parent
    return None


def located(message: str) -> str:
    """Add the author's file and line to a message."""
    line = author_line()
    return f"{message} ({line})" if line else message
