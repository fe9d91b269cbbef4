"""Messages of a command that did not do what it was asked: one message, on standard error."""

from __future__ import annotations

import os
import sys
import time
import traceback
from typing import TYPE_CHECKING

import click

from quarry.cli.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence


def say(text: str) -> None:
    """Write one line to standard error; a stream that is closed is no reason to fail."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        pass


def say_problems(command: str, problems: Sequence[str]) -> None:
    """Write all problems as one message; each on one line, shown safely."""
    if len(problems) == 1:
        say(f"{command}: {visible(problems[0])}")
        return
    say(f"{command}: {len(problems)} problems")
    for problem in problems:
        say(f"  {visible(problem)}")


def say_usage(error: click.UsageError) -> None:
    """Write click's own complaint, with the nearest flag where one is not known."""
    command = error.ctx.command_path if error.ctx else "quarry"
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        say(error.format_message())  # a group alone: its help text says what comes next
        return
    say_problems(command, [_told(error)])
    say(f"see '{command} --help'")


def say_internal(command: str, error: BaseException, state_dir: str) -> None:
    """Write a traceback to a file, and one line that says where."""
    kind = type(error).__name__
    where = _keep_traceback(error, state_dir)
    told = f"the traceback is in {where}" if where else "the traceback could not be written anywhere"
    say(f"{command}: internal error {kind}; {told}")


def _told(error: click.UsageError) -> str:
    if isinstance(error, click.NoSuchOption):
        from quarry.config.suggest import nearest

        known = [name for param in _params(error.ctx) for name in param.opts if name.startswith("--")]
        found = nearest(error.option_name, known)
        return f"no such option {error.option_name}" + (f"; did you mean {found}?" if found else "")
    message = error.format_message().rstrip(".")
    return message[:1].lower() + message[1:]


def _params(ctx: click.Context | None) -> list[click.Parameter]:
    return ctx.command.get_params(ctx) if ctx else []


def _keep_traceback(error: BaseException, state_dir: str) -> str | None:
    name = f"crash-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.txt"
    text = "".join(traceback.format_exception(error))
    for folder in (os.path.join(state_dir, "logs"), os.environ.get("TMPDIR") or "/tmp"):  # noqa: S108 - last resort
        path = os.path.join(folder, name)
        try:
            os.makedirs(folder, exist_ok=True)
            with open(path, "x", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError:
            continue
        return path
    return None
