"""An executor process and everything below it: start, streams, end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

from quarry.errors import ConfigError, QuarryError
from quarry.runtime.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GRACE_S = 5.0
"""Between TERM and KILL, seconds."""

_GUARD = Path(__file__).with_name("guard.py")
_STREAM_LIMIT_BYTES = 256 * 1024
_START_S = 30.0
_END_S = 8.0
_DRAIN_S = 1.0


class ExecutorStartError(QuarryError):
    """An executor process could not be started."""

    code = "executor_start"


def check_executor(path: str) -> str:
    """Check ``--executor`` before anything is written.

    Args:
        path: As given.

    Returns:
        The path to execute; never looked up on PATH.

    Raises:
        ConfigError: It does not exist, is no file, or is not executable.
    """
    if not os.path.exists(path):
        raise ConfigError(f"--executor {path}: there is no such file")
    if not os.path.isfile(path):
        raise ConfigError(f"--executor {path}: this is not a file")
    if not os.access(path, os.X_OK):
        raise ConfigError(f"--executor {path}: the file is not executable; chmod +x mends that")
    return path if "/" in path else f"./{path}"


def own_executor(*arguments: str) -> list[str]:
    """Give the argv of Quarry's own executor."""
    return [sys.executable, "-m", "quarry.executor", *arguments]


class ExecutorProcess:
    """One executor behind its guard, in a process group of its own.

    Made by ``start``. Its stderr is drained from the first moment on. The guard ends everything below it when
    the executor ends, when this process dies, and at ``end``. Not an asyncio subprocess: there, on some
    versions of Python, waiting for the end hangs while nobody reads stdout, and that is how we hold back.

    Attributes:
        pid: Of the executor itself.
        stdin: Towards the executor.
        stdout: From it; reading is what lets it go on.
        stderr: The last bytes that it wrote to stderr.
    """

    def __init__(self, process: subprocess.Popen[bytes], status_fd: int) -> None:
        self.pid = 0
        self.stdin: asyncio.StreamWriter
        self.stdout: asyncio.StreamReader
        self.stderr = Tail()
        self._process = process
        self._status_fd = status_fd
        self._exited = watch_exit(process)
        self._connected: dict[IO[bytes], asyncio.BaseTransport] = {}
        self._drain: asyncio.Task[None] | None = None
        self._closed = False

    @classmethod
    async def start(cls, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> ExecutorProcess:
        """Start an executor; returns once it has been executed.

        Args:
            argv: Path of the program, and its arguments.
            env: Its whole environment; None inherits.

        Raises:
            ExecutorStartError: It could not be executed.
        """
        path = argv[0]
        read_fd, write_fd = os.pipe()
        guard = [sys.executable, "-I", "-S", str(_GUARD), str(write_fd), str(os.getpid()), path]
        try:
            process = subprocess.Popen(  # noqa: ASYNC220  as short as what asyncio itself does here
                [*guard, *argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=env,
                pass_fds=(write_fd,),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            os.close(read_fd)
            raise ExecutorStartError(f"the executor {path} could not be started: {error}") from error
        finally:
            os.close(write_fd)
        self = cls(process, read_fd)
        try:
            await self._connect()
            line = await asyncio.wait_for(read_line(read_fd), _START_S)
            self.pid = _started_pid(line, path)
        except TimeoutError as error:
            await self.end(grace_s=0)
            raise ExecutorStartError(f"the executor {path} did not start in {_START_S:g} s") from error
        except BaseException:
            await self.end(grace_s=0)
            raise
        return self

    @property
    def returncode(self) -> int | None:
        """Exit code of the executor, below zero for a signal; None while it runs."""
        return self._exited.result() if self._exited.done() else None

    async def wait_ended(self) -> int:
        """Wait until the executor and everything below it is gone; give its exit code."""
        return await asyncio.shield(self._exited)

    async def end(self, *, grace_s: float = GRACE_S) -> int:
        """End the executor and everything below it, and let go of its streams.

        Safe to call often and at once: a shorter grace hurries an end that is under way.

        Args:
            grace_s: From TERM to KILL; 0 kills at once.

        Returns:
            Its exit code, below zero for a signal.
        """
        if grace_s > 0 and not self._exited.done():
            self._signal_group(signal.SIGTERM)
            await asyncio.wait({self._exited}, timeout=grace_s)
        if not self._exited.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGUSR1)
            await asyncio.wait({self._exited}, timeout=_END_S)
        if not self._exited.done():
            self._signal_group(signal.SIGKILL)
        code = await asyncio.shield(self._exited)
        await self._let_go()
        return code

    async def peak_rss_bytes(self) -> int | None:
        """Give the largest resident size of the executor, bytes; known after its end, once."""
        if self._status_fd < 0 or not self._exited.done():
            return None
        word, _, rest = (await read_line(self._status_fd)).partition(" ")
        os.close(self._status_fd)
        self._status_fd = -1
        return int(rest) * 1024 if word == "maxrss" else None

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    async def _connect(self) -> None:
        process = self._process
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        self.stdout = await self._reader(process.stdout)
        stderr = await self._reader(process.stderr)
        self._drain = asyncio.create_task(self._drain_stderr(stderr))
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), process.stdin
        )
        self._connected[process.stdin] = transport
        self.stdin = asyncio.StreamWriter(transport, protocol, None, loop)

    async def _reader(self, pipe: IO[bytes]) -> asyncio.StreamReader:
        reader = asyncio.StreamReader(limit=_STREAM_LIMIT_BYTES)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        self._connected[pipe] = transport
        return reader

    async def _drain_stderr(self, stderr: asyncio.StreamReader) -> None:
        while data := await stderr.read(_STREAM_LIMIT_BYTES):
            self.stderr.write(data)

    async def _let_go(self) -> None:
        """Close the streams once nothing can write to them any more."""
        if self._closed:
            return
        self._closed = True
        if self._drain is not None:
            await asyncio.wait({self._drain}, timeout=_DRAIN_S)
            self._drain.cancel()
        for transport in self._connected.values():
            transport.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None and pipe not in self._connected:  # cancelled while it started
                pipe.close()

    def __del__(self) -> None:
        """Give back the last file descriptor."""
        if self._status_fd >= 0:
            os.close(self._status_fd)
            self._status_fd = -1


def watch_exit(process: subprocess.Popen[bytes]) -> asyncio.Future[int]:
    """Give a future of a child's exit code; works in a loop of any thread, without SIGCHLD."""
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[int] = loop.create_future()
    if not hasattr(os, "pidfd_open"):
        return asyncio.ensure_future(asyncio.to_thread(process.wait))
    pidfd = os.pidfd_open(process.pid)

    def reap() -> None:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        if not exited.cancelled():
            exited.set_result(process.wait())

    loop.add_reader(pidfd, reap)
    return exited


def _started_pid(line: str, path: str) -> int:
    """Read the guard's first line."""
    word, _, rest = line.partition(" ")
    if word != "pid":
        reason = rest or "its guard process ended"
        raise ExecutorStartError(f"the executor {path} could not be started: {reason}")
    return int(rest)


async def read_line(fd: int) -> str:
    """Read one short line from a pipe without blocking the loop; empty at its end."""
    loop = asyncio.get_running_loop()
    os.set_blocking(fd, False)
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    line = b""
    try:
        while not line.endswith(b"\n"):
            await ready.wait()
            ready.clear()
            try:
                byte = os.read(fd, 1)
            except BlockingIOError:
                continue
            if not byte:
                break
            line += byte
    finally:
        loop.remove_reader(fd)
    return line.decode(errors="replace").strip()
