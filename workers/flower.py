"""What ``celery -A workers.flower flower`` shows, and how: the application, and Flower's settings.

The broker is ``QUARRY_BROKER``. The settings below are defaults: a ``FLOWER_*`` variable and a flag beat them
(``FLOWER_PORT=80``, ``--port=80``). The password belongs into ``FLOWER_BASIC_AUTH=user:password``, since a
process list shows flags. docs/monitoring.md explains each setting.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flower.options import options

from quarry.errors import ConfigError
from quarry.tasks.app import make_app

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery import Celery

_COLUMNS = "name,args,state,result,retries,runtime,received,worker,uuid"
_DEPTH = re.compile(r"\('?(?P<about>.*?)'?, depth=(?P<depth>\d+)\)")


def format_task(task: Any) -> Any:
    """Make a task's columns short enough to be read in one line; the API gives them as they are.

    Args:
        task: Flower's copy of it.
    """
    depth = _DEPTH.fullmatch(task.args or "")
    if depth:
        task.args = f"depth {depth['depth']}  {depth['about']}"
    # A failed task has an exception in place of a result: the same dict, said of a run that failed.
    task.result = _short(task.result or task.exception)
    return task


def _short(shown: str | None) -> str | None:
    """Give a delivery's small dict as a phrase; any other text as it is."""
    try:
        told = ast.literal_eval(shown or "")
        words = [told["outcome"], told.get("error_type")]
    except (KeyError, SyntaxError, TypeError, ValueError):
        return shown
    if told.get("how") != "committed":
        words.append(told.get("how"))
    if told.get("delivery", 1) > 1:
        words.append(f"delivery {told['delivery']}")
    if told.get("enqueued"):
        words.append(f"enqueued {told['enqueued']}")
    return ", ".join(str(word) for word in words if word)


def make_defaults(environ: Mapping[str, str]) -> dict[str, Any]:
    """Give the settings that Flower starts with.

    Args:
        environ: Names the state folder (``XDG_STATE_HOME``, else ``~/.local/state``).
    """
    state = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME") or "/tmp", ".local", "state"))  # noqa: S108 - as a shell would
    return {
        "address": "127.0.0.1",  # /metrics and /healthcheck ask for no password
        "read_only": True,  # revoking a task or shutting a worker down is no way to stop a crawl
        "max_tasks": 20_000,  # 4.4 KB each
        "max_workers": 1_000,
        "purge_offline_workers": 3_600,  # a name that comes back with each deploy would stay for ever
        "persistent": True,
        "db": str(Path(state, "quarry", "flower")),
        "state_save_interval": 60_000,
        "tasks_columns": _COLUMNS,
        "format_task": format_task,
    }


def make_flower_app(environ: Mapping[str, str]) -> Celery:
    """Make the application that Flower watches, and set Flower's defaults.

    Raises:
        SystemExit: No broker is named, or its address is malformed; the message shows no address.
    """
    broker = environ.get("QUARRY_BROKER") or environ.get("CELERY_BROKER_URL", "")
    if not broker:
        sys.exit("flower: no broker: set QUARRY_BROKER to redis://HOST:PORT/DB or unix:///PATH")
    try:
        made = make_app(broker)
    except ConfigError as error:
        sys.exit(f"flower: {error.message}")
    defaults = make_defaults(environ)
    # Flower unpickles this file when it starts: nobody else may write there.
    Path(defaults["db"]).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, value in defaults.items():
        setattr(options, name, value)
    return made


# Named by `celery -A workers.flower`; nothing imports it.
app = make_flower_app(os.environ)
