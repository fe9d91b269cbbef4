"""A fleet of real processes: one Redis, workers by Celery's own command, and the quarry command."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis

from tests.e2e.harness import Finished, alive, marked, wait_for
from tests.services import require_service
from tests.workers.kit import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = str(Path(__file__).parent / "scripts" / "node.py")


class Fleet:
    """One Redis and its workers; everything ends with it.

    Args:
        folder: For all files.
        password: Of Redis, if it shall ask for one.
    """

    def __init__(self, folder: Path, *, password: str = "") -> None:
        self.folder = folder
        self.storage = folder / "data"
        self.storage.mkdir(parents=True, exist_ok=True)
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        self.port = free_port()
        secret = f":{password}@" if password else ""
        self.url = f"redis://{secret}127.0.0.1:{self.port}/0"
        self.password = password
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self._server: subprocess.Popen[bytes] | None = None
        base = {k: v for k, v in os.environ.items() if not k.startswith(("QUARRY_", "CELERY_"))}
        self.env = {
            **base,
            "XDG_STATE_HOME": str(folder / "state"),
            "CRAWL_TEST_MARK": self.mark,
            "QUARRY_BROKER": self.url,
            "QUARRY_STORAGE_PATH": str(self.storage),
            "QUARRY_LEASE": "6s",
            "QUARRY_GRACE": "1s",
        }

    @property
    def client(self) -> redis.Redis:
        """A connection to its Redis."""
        return redis.Redis(port=self.port, password=self.password or None, socket_timeout=10)

    def start_redis(self, *settings: str) -> None:
        """Start Redis, or start it again on its file."""
        binary = require_service("redis-server")
        folder = self.folder / "redis"
        folder.mkdir(exist_ok=True)
        argv = [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
        argv += ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"]
        if self.password:
            argv += ["--requirepass", self.password]
        argv += settings
        with (self.folder / "redis.log").open("ab") as log:
            self._server = subprocess.Popen(argv, stdout=log, stderr=log, env=self.env)
        wait_for(self._answers, timeout_s=20, what="Redis")

    def kill_redis(self) -> None:
        """End Redis as a crash would."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), contextlib.closing(self.client) as client:
            return bool(client.ping())
        return False

    def start_worker(
        self, name: str, *, slots: int = 4, app: str = "quarry.tasks", env: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a worker as people do."""
        argv = [sys.executable, "-m", "celery", "-A", app, "worker", "-n", f"{name}@test", "-c", str(slots)]
        with (self.folder / f"{name}.log").open("ab") as log:
            worker = subprocess.Popen(
                argv, stdout=log, stderr=log, env={**self.env, **(env or {})}, cwd=Path(__file__).parents[2]
            )
        self.workers[name] = worker
        return worker

    def wait_ready(self, *names: str) -> None:
        """Wait until these workers (all by default) consume: each has a queue of its own for control."""
        for name in names or list(self.workers):
            wait_for(
                lambda name=name: self._consumes(name),
                timeout_s=60,
                what=f"worker {name}: {self.log(name)[-800:]}",
            )

    def _consumes(self, name: str) -> bool:
        assert self.workers[name].poll() is None, self.log(name)[-2000:]
        with contextlib.closing(self.client) as client:
            members = client.smembers("_kombu.binding.celery.pidbox")
            return any(f"{name}@test".encode() in member for member in members)

    def log(self, name: str) -> str:
        """What a worker wrote."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def begin(self, *arguments: str, env: dict[str, str] | None = None) -> Command:
        """Start a quarry command."""
        return Command(self, *arguments, env=env)

    def quarry(self, *arguments: str, timeout_s: float = 120, env: dict[str, str] | None = None) -> Finished:
        """Run a quarry command to its end."""
        return Command(self, *arguments, env=env).wait(timeout_s)

    def run(self, job: dict[str, Any], *arguments: str, timeout_s: float = 120) -> Finished:
        """Run a crawl of the test's script to its end."""
        return self.quarry(
            "run", "--script", SCRIPT, "--job", json.dumps(job), *arguments, timeout_s=timeout_s
        )

    def counters(self, crawl: str) -> dict[str, int]:
        """The ledger's counters; empty where there is no such crawl."""
        with contextlib.closing(self.client) as client:
            return {k.decode(): int(v) for k, v in client.hgetall(f"q:{{{crawl}}}:n").items()}

    def end(self) -> None:
        """End every process."""
        for process in [*self.workers.values(), self._server]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        deadline = time.monotonic() + 20
        while left := marked(self.mark):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            assert time.monotonic() < deadline, left
            time.sleep(0.01)


class Command:
    """One quarry command in a process of its own."""

    def __init__(self, fleet: Fleet, *arguments: str, env: dict[str, str] | None = None) -> None:
        stem = fleet.folder / f"command-{time.monotonic_ns()}"
        self.out, self.err = stem.with_suffix(".out"), stem.with_suffix(".err")
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "quarry.cli", *arguments],
                env={**fleet.env, **(env or {})},
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
            )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    def wait(self, timeout_s: float = 120) -> Finished:
        """Wait for its end."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"not done after {timeout_s} s:\n{self.err.read_text()[-3000:]}") from None
        return Finished(code, self.out.read_text(), self.err.read_text())

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()
        assert not alive(self.pid)


@contextlib.contextmanager
def running_fleet(folder: Path, *, workers: int = 2, slots: int = 4, password: str = "") -> Iterator[Fleet]:
    """A fleet that is ready."""
    fleet = Fleet(folder, password=password)
    try:
        fleet.start_redis()
        for number in range(workers):
            fleet.start_worker(f"w{number}", slots=slots)
        fleet.wait_ready()
        yield fleet
    finally:
        fleet.end()
