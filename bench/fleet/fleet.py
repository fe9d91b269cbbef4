"""A private fleet: one Redis-compatible server with its append-only file, and real Celery workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import redis

from quarry.engine.lifeline import make_parent_death_hook
from quarry.engine.server import PrivateServer

if TYPE_CHECKING:
    from types import TracebackType

SCRIPTS = Path(__file__).with_name("scripts")
ROOT = Path(__file__).parents[2]
_START_S = 90.0
_STOP_S = 40.0


class Fleet:
    """Starts server and workers, and ends them; a context manager.

    Workers are started as anybody would start them, ``celery -A quarry.tasks worker``; their address of Redis
    is in the environment.

    Args:
        folder: For the server's file and the workers' logs.
        workers: Worker processes.
        slots: Runs at once in each.
        strace: Where each worker's count of system calls goes; None counts none.
    """

    def __init__(self, folder: Path, *, workers: int, slots: int, strace: Path | None = None) -> None:
        self.folder = folder
        self.slots = slots
        self.server = PrivateServer(folder / "redis")
        self.workers: list[subprocess.Popen[bytes]] = []
        self._count = workers
        self._strace = strace

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.server.start()
            self.workers = [self._start(number) for number in range(self._count)]
            self._wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        return self.server.url

    def client(self) -> redis.Redis:
        """A blocking client, for looking from outside."""
        return redis.Redis(unix_socket_path=str(self.server.socket_path))

    def dead_workers(self) -> list[str]:
        """Say which workers have ended, with the last lines of their logs."""
        return [
            f"worker {number} ended with {worker.returncode}: {self._log(number).read_text()[-2000:]}"
            for number, worker in enumerate(self.workers)
            if worker.poll() is not None
        ]

    def logs(self) -> str:
        """Give the last lines of every worker's log."""
        tails = [self._log(number).read_text(errors="replace")[-2000:] for number in range(self._count)]
        return "\n".join(f"worker {number}: {tail}" for number, tail in enumerate(tails))

    def close(self) -> None:
        """Stop the workers warmly, then the server; safe to repeat."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        for worker in self.workers:
            try:
                worker.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
        self.server.stop()

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "celery", "-A", "quarry.tasks", "worker", "--loglevel", "WARNING"]
        argv += ["--concurrency", str(self.slots), "-n", f"bench{number}@%h"]
        argv += ["--without-gossip", "--without-mingle"]
        if self._strace is not None:
            argv = ["strace", "-f", "-c", "-S", "calls", "-o", f"{self._strace}.{number}", *argv]
        env = environment(self.url, self.folder) | {"QUARRY_SCRIPTS_ROOT": str(SCRIPTS)}
        with self._log(number).open("wb") as log:
            return subprocess.Popen(
                argv,
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=make_parent_death_hook(),  # noqa: PLW1509 -- it allocates and locks nothing
            )

    def _log(self, number: int) -> Path:
        return self.folder / f"worker-{number}.log"

    def _wait_ready(self) -> None:
        """Wait until every worker asks for messages: then it has a connection that waits in BRPOP."""
        deadline = time.monotonic() + _START_S
        with self.client() as client:
            while True:
                if dead := self.dead_workers():
                    raise RuntimeError(dead[0])
                waiting = sum(entry["cmd"].lower() == "brpop" for entry in client.client_list())
                if waiting >= self._count:
                    return
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{waiting} of {self._count} workers were ready after {_START_S} s")
                time.sleep(0.02)


def environment(url: str, work: Path) -> dict[str, str]:
    """Give the environment of a Quarry process: this broker, this folder's state, this tree's code."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("QUARRY_")}
    paths = [str(ROOT), *filter(None, [env.get("PYTHONPATH")])]
    return env | {
        "QUARRY_BROKER": url,
        "XDG_STATE_HOME": str(work / "state"),
        "PYTHONPATH": os.pathsep.join(paths),
    }
