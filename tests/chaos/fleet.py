"""The real processes of one run: Redis, four workers, and what stands between them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from quarry.engine.lifeline import make_parent_death_hook
from quarry.engine.server import PrivateServer
from tests.chaos.processes import MARK, marked, send, tree

if TYPE_CHECKING:
    import random

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 4
SLOTS = 8
_STOP_S = 40.0


class Worker:
    """One worker process at a time, under one name.

    Args:
        name: Its name in the fleet.
        folder: Where its logs go.
        env: Its environment.
    """

    def __init__(self, name: str, folder: Path, env: dict[str, str]) -> None:
        self.name = name
        self.env = env
        self.pids: list[int] = []
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def log(self) -> Path:
        """The log of the process that runs now."""
        return self._folder / f"{self.name}-{len(self.pids)}.ndjson"

    def start(self) -> None:
        """Start the process; does not wait for it to be ready."""
        argv = [sys.executable, "-m", "celery", "-A", "tests.chaos.app", "worker"]
        argv += [
            "-n",
            f"{self.name}@chaos",
            "-c",
            str(SLOTS),
            "--without-gossip",
            "--without-mingle",
            "-l",
            "INFO",
        ]
        self.pids.append(0)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                argv,
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                preexec_fn=make_parent_death_hook(),  # noqa: PLW1509 -- it allocates and locks nothing
            )
        self.pids[-1] = self._process.pid

    def ready(self) -> bool:
        """Say whether it has said that it takes messages."""
        return b"chaos@" in (text := self.log.read_bytes()) or b" ready." in text

    def kill(self) -> None:
        """kill -9, of the worker's own process alone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop_nowait(self) -> None:
        """Ask for a warm shutdown."""
        if self.pid is not None:
            send([self.pid], signal.SIGTERM)

    def exited(self, timeout_s: float) -> int | None:
        """Wait for its end; its exit code, or None where it did not end."""
        assert self._process is not None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None


class Fleet:
    """Redis and four workers, private to one run.

    Args:
        folder: Of the run.
        storage_faults: Whether workers look for storage faults.
        switch: What is taken out of the workers; empty for nothing.
    """

    def __init__(self, folder: Path, *, storage_faults: bool, switch: str) -> None:
        self.folder = folder
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        os.environ[MARK] = self.mark  # Redis and the proxy inherit it too
        self.server = PrivateServer(folder / "redis")
        self.storage_flags = folder / "storage"
        self.storage_flags.mkdir()
        self._switch = switch
        self._storage_faults = storage_faults
        self.workers: list[Worker] = []

    def start(self, urls: list[str]) -> None:
        """Start the workers; the server must run already.

        Args:
            urls: How each worker reaches Redis.
        """
        (self.folder / "logs").mkdir()
        base = {k: v for k, v in os.environ.items() if not k.startswith("QUARRY_") or k == MARK}
        base |= {"CHAOS_SWITCH": self._switch, "XDG_STATE_HOME": str(self.folder / "state"), MARK: self.mark}
        base |= {"CHAOS_STORAGE": str(self.storage_flags)} if self._storage_faults else {}
        base |= {"QUARRY_SCRIPTS_ROOT": str(Path(__file__).parent / "scripts")}
        for at, url in enumerate(urls):
            worker = Worker(f"w{at + 1}", self.folder / "logs", {**base, "QUARRY_BROKER": url})
            worker.start()
            self.workers.append(worker)

    async def wait_ready(self, timeout_s: float = 60) -> None:
        """Wait until every worker takes messages."""
        deadline = time.monotonic() + timeout_s
        while not all(worker.ready() for worker in self.workers):
            if time.monotonic() > deadline or any(worker.pid is None for worker in self.workers):
                raise RuntimeError(f"the workers did not start; see {self.folder}/logs")
            await asyncio.sleep(0.02)

    def choose(self, rng: random.Random) -> Worker | None:
        """Draw a worker among those that run."""
        alive = [worker for worker in self.workers if worker.pid is not None]
        return rng.choice(alive) if alive else None

    def revive(self) -> list[tuple[str, int, int | None]]:
        """Start workers again that have ended; names, process ids and exit codes of what they were."""
        ended = [worker for worker in self.workers if worker.pid is None]
        found = [(worker.name, worker.pids[-1], worker.exited(1)) for worker in ended]
        for worker in ended:
            worker.start()
        return found

    async def stop(self) -> list[str]:
        """End the workers warmly; names of those that had to be killed or ended badly."""
        for worker in self.workers:
            worker.stop_nowait()
        bad = []
        deadline = time.monotonic() + _STOP_S
        for worker in self.workers:
            code = await asyncio.to_thread(worker.exited, max(deadline - time.monotonic(), 0.1))
            if code is None:
                pid = worker.pid
                send([pid, *tree(pid)] if pid else [], signal.SIGKILL)
                worker.exited(5)
            if code != 0:
                bad.append(f"{worker.name} ended with {code}")
        return bad

    async def left(self, timeout_s: float = 10) -> list[int]:
        """Processes of this run that are still there though all should have ended, Redis and helpers aside."""
        deadline = time.monotonic() + timeout_s
        while (found := self._strangers()) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        return found

    def _strangers(self) -> list[int]:
        known = {self.server.pid, *self.helpers}
        return [pid for pid in marked(self.mark) if pid not in known]

    helpers: frozenset[int] = frozenset()

    def end(self) -> None:
        """Leave nothing behind, whatever happened."""
        send([pid for pid in marked(self.mark) if pid != self.server.pid], signal.SIGKILL)
        for worker in self.workers:
            worker.exited(5)
        self.server.stop()
