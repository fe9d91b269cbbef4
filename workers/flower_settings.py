"""Flower's settings, and how it shows a task. Pure."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

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
