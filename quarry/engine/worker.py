"""The embedded worker: one Celery worker process of this command."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from quarry.engine.lifeline import make_parent_death_hook
from quarry.engine.process import end_process, log_tail
from quarry.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

START_S = 60.0
"""Seconds that a worker has to be ready."""

_POLL_S = 0.02
_COLD_S = 12.0


class EmbeddedWorker:
    """A worker process that lives no longer than this one.

    It ends when the thread that called `start` or `spawn` ends, and when its standard input closes: call them
    from the main thread. The broker's URL travels in the environment, never in the arguments.

    Args:
        broker_url: In either spelling.
        concurrency: Runs at once.
        log_path: File that the worker's NDJSON log is appended to; its folder must exist.
        env: Variables to add to this process's environment.
        queue: The Redis list with the envelopes.
        deliverer: Dotted factory in place of Quarry's own.
        grace_s: Seconds that the worker waits for running deliveries at a warm stop.
    """

    def __init__(
        self,
        broker_url: str,
        *,
        concurrency: int,
        log_path: Path | str,
        env: Mapping[str, str] | None = None,
        queue: str = "quarry",
        deliverer: str | None = None,
        grace_s: float = 30.0,
    ) -> None:
        self.log_path = Path(log_path).absolute()
        self._broker_url = broker_url
        self._concurrency = concurrency
        self._env = dict(env or {})
        self._queue = queue
        self._deliverer = deliverer
        self._grace_s = grace_s
        self._process: subprocess.Popen[bytes] | None = None
        self._ready_fd: int | None = None
        self._ready = False
        self._log_start = 0

    def __repr__(self) -> str:
        """Return the state."""
        return f"<EmbeddedWorker {'stopped' if self.pid is None else f'pid {self.pid}'}>"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self, timeout_s: float = START_S) -> None:
        """Start the worker and wait until it consumes.

        Raises:
            EngineError: It ended or was not ready in time; the message has its last log lines.
        """
        self.spawn()
        deadline = time.monotonic() + timeout_s
        while not self._is_ready(deadline):
            time.sleep(_POLL_S)

    def spawn(self) -> None:
        """Start the process without waiting for it; again after it died.

        Raises:
            EngineError: The process or its log could not be made.
        """
        if self.pid is not None:
            return
        self._forget()
        read_fd, write_fd = os.pipe()
        os.set_blocking(read_fd, False)
        try:
            with self.log_path.open("ab") as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(
                    self._command(write_fd),
                    stdin=subprocess.PIPE,  # held open, never written: its end tells the worker that we ended
                    stdout=subprocess.DEVNULL,  # Celery says there in words what the log says too
                    stderr=log,
                    env=self._environment(),
                    start_new_session=True,
                    preexec_fn=make_parent_death_hook(),  # noqa: PLW1509 -- it allocates and locks nothing
                    pass_fds=(write_fd,),
                )
        except OSError as error:
            os.close(read_fd)
            raise EngineError(f"the embedded worker cannot be started: {error}") from error
        finally:
            os.close(write_fd)
        self._ready_fd = read_fd

    async def wait_ready(self, timeout_s: float = START_S) -> None:
        """Wait until a spawned worker consumes.

        Raises:
            EngineError: It ended or was not ready in time; the message has its last log lines.
        """
        deadline = time.monotonic() + timeout_s
        while not self._is_ready(deadline):  # noqa: ASYNC110 -- another process's state has no event
            await asyncio.sleep(_POLL_S)

    def stop(self, *, warm: bool = True, grace_s: float | None = None) -> None:
        """End the worker; safe to repeat.

        Args:
            warm: Whether running deliveries may finish (TERM); otherwise they are cancelled (QUIT).
            grace_s: Seconds that a warm stop takes at most, then it is a cold one; by default the worker's
                own grace and what it needs to end.
        """
        if self._process is None:
            return
        limit_s = self._grace_s + _COLD_S if grace_s is None else grace_s
        warm_step = [(signal.SIGTERM, limit_s)] if warm else []
        end_process(self._process, [*warm_step, (signal.SIGQUIT, _COLD_S)])
        self._forget()

    def kill(self) -> None:
        """End the worker at once; what it ran is delivered again."""
        if self._process is not None:
            end_process(self._process, [])
            self._forget()

    def _forget(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
        self._close_ready()
        self._ready = False

    def _close_ready(self) -> None:
        if self._ready_fd is not None:
            os.close(self._ready_fd)
            self._ready_fd = None

    def _command(self, ready_fd: int) -> list[str]:
        command = [sys.executable, "-m", "quarry.tasks.worker_main"]
        command += ["--concurrency", str(self._concurrency), "--queue", self._queue]
        # Unique, also over restarts: Celery keeps a control mailbox a host name.
        command += ["--hostname", f"quarry-{uuid.uuid4().hex[:12]}@embedded"]
        command += ["--ready-fd", str(ready_fd), "--grace-s", str(self._grace_s)]
        if self._deliverer is not None:
            command += ["--deliverer", self._deliverer]
        return command

    def _environment(self) -> dict[str, str]:
        # Celery reads its own variables before any setting: a CELERY_BROKER_URL meant for another program
        # would send this worker there.
        # The port of a fleet's worker is its own, and taken.
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CELERY_", "QUARRY_METRICS_"))
        }
        return {**inherited, **self._env, "QUARRY_BROKER": self._broker_url}

    def _is_ready(self, deadline: float) -> bool:
        """Return whether the worker said that it is ready.

        Raises:
            EngineError: It ended, or the deadline has passed.
        """
        if self._ready:
            return True
        if self._ready_fd is not None:
            try:
                said = os.read(self._ready_fd, 16)
            except BlockingIOError:
                said = b""
            if said:
                self._ready = True
                self._close_ready()
                return True
        if self.pid is None:
            raise self._failed("ended at its start")
        if time.monotonic() >= deadline:
            raise self._failed("was not ready in time")
        return False

    def _failed(self, what: str) -> EngineError:
        lines = log_tail(self.log_path, start=self._log_start)
        said = f"; it said: {lines}" if lines else ""
        return EngineError(f"the embedded worker {what}{said}; its log is {self.log_path}")
