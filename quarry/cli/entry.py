"""From arguments to an exit code. No exception gets past here, and no traceback to a user."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from quarry.cli import codes
from quarry.cli.app import make_app
from quarry.cli.messages import say_internal, say_problems, say_usage
from quarry.errors import (
    ConfigError,
    EngineError,
    LedgerImbalanceError,
    QuarryError,
    SchedulerError,
    StoreError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNFINISHED = (StoreError, EngineError, SchedulerError)


def run_command(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: Without the program's name.

    Returns:
        Its exit code; usage 64, an internal error 70.
    """
    command = _command_path(arguments)
    try:
        code = make_app().main(args=list(arguments), prog_name="quarry", standalone_mode=False)
    except click.UsageError as error:
        say_usage(error)
        return codes.USAGE
    except ConfigError as error:
        say_problems(command, error.problems)
        return codes.USAGE
    except (KeyboardInterrupt, click.Abort):
        say_problems(command, ["interrupted"])
        return codes.FORCED
    except LedgerImbalanceError as error:
        say_problems(command, [error.message])
        return codes.INTERNAL
    except _UNFINISHED as error:
        say_problems(command, [error.message])
        return codes.UNFINISHED
    except QuarryError as error:
        say_problems(command, [error.message])
        return codes.INTERNAL
    except click.ClickException as error:
        say_problems(command, [error.format_message()])
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last resort; its traceback is kept in a file
        say_internal(command, error, _state_dir())
        return codes.INTERNAL
    return code if isinstance(code, int) else codes.OK


def _command_path(arguments: Sequence[str]) -> str:
    """Give ``quarry run`` and the like: the words before the first flag that name commands."""
    groups = {
        "inspect": {"crawl", "run", "proxy"},
        "list": {"runs", "failed", "crawls", "pools"},
        "debug": {"resolve"},
        "metrics": {"serve"},
        "run": set(),
        "stop": set(),
        "retry": set(),
        "forget": set(),
        "doctor": set(),
        "simulate": set(),
        "version": set(),
    }
    words = ["quarry"]
    if arguments and arguments[0] in groups:
        words.append(arguments[0])
        words += [word for word in arguments[1:2] if word in groups[arguments[0]]]
        if words[-1] == "resolve":
            words += [word for word in arguments[2:3] if word in {"target", "proxy"}]
    return " ".join(words)


def _state_dir() -> str:
    from quarry.config.defaults import default_state_dir

    return os.environ.get("QUARRY_STATE_DIR") or default_state_dir(os.environ)
