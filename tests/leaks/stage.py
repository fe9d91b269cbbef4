"""Real processes with secrets planted all over them, and everything that they let be seen."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.e2e.harness import marked
from tests.flower.fleet import Fleet, wait_for
from tests.leaks.planted import BROKER
from tests.leaks.pools import Proxies, write_config
from tests.local_site import Answer
from tests.services import require_service

if TYPE_CHECKING:
    import subprocess

    import redis

MARK_VARIABLE = "CRAWL_TEST_MARK"  # the harness finds processes by it


class Stage(Fleet):
    """A fleet whose broker asks for a planted password and writes down all that it is told.

    Args:
        folder: For everything; what is planted lies in ``planted``, what comes out of it in ``seen``.
        proxies: That the pools name.
    """

    def __init__(self, folder: Path, proxies: Proxies) -> None:
        self.planted, self.seen = folder / "planted", folder / "seen"
        for each in (self.planted, self.seen / "tmp", self.seen / "redis"):
            each.mkdir(parents=True)
        super().__init__(self.seen)
        self.site.answers["/"] = Answer(b"<title>m4rker-page</title>")
        self.url = f"redis://:{BROKER.value}@127.0.0.1:{self.redis_port}/0"
        self.config, given = write_config(self.planted, proxies)
        self.mark = f"m4rker-{os.getpid()}-{folder.name}"
        self.env = {
            "QUARRY_BROKER": self.url,
            "QUARRY_CONFIG": str(self.config),
            "QUARRY_STORAGE_PATH": str(self.storage),
            "XDG_STATE_HOME": str(self.seen / "state"),
            "TMPDIR": str(self.seen / "tmp"),
            MARK_VARIABLE: self.mark,
            **given,
        }
        self.watch: Watch | None = None

    def __enter__(self) -> Self:
        try:
            self.start_redis()
            self.watch = Watch(self.mark, self.redis_port)
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """End everything."""
        if self.watch is not None:
            self.watch.close()
        super().close()

    def spawn(self, name: str, *argv: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a process in the environment that the secrets are planted in."""
        return super().spawn(name, *argv, env={**self.env, **(env or {})})

    def start_redis(self) -> subprocess.Popen[bytes]:
        """Start Redis; its password is in its file alone, and its log of commands is plain."""
        settings = self.planted / "redis.conf"
        settings.write_text(
            f"port {self.redis_port}\nbind 127.0.0.1\ndir {self.seen / 'redis'}\nrequirepass {BROKER.value}\n"
            'save ""\nappendonly yes\naof-use-rdb-preamble no\n'
        )
        server = self.spawn("redis", require_service("redis-server"), str(settings))
        wait_for(self._answers, "Redis", timeout_s=20)
        return server


class Watch:
    """Writes down, until it is closed, what other users of the machine and of the broker can see.

    Args:
        mark: In the environment of the processes that count.
        redis_port: Of the broker.

    Attributes:
        argvs: Command lines.
        executors: Environments of executors.
    """

    def __init__(self, mark: str, redis_port: int) -> None:
        self.argvs: set[bytes] = set()
        self.executors: set[bytes] = set()
        self._mark = mark
        self._ending = threading.Event()
        self._monitor = socket.create_connection(("127.0.0.1", redis_port))
        self._monitor.sendall(f"AUTH {BROKER.value}\r\nMONITOR\r\n".encode())
        self._commands = bytearray()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._look)]
        for thread in self._threads:
            thread.start()

    @property
    def commands(self) -> bytes:
        """Everything that was said to the broker."""
        return bytes(self._commands)

    def close(self) -> None:
        """Stop."""
        self._ending.set()
        with contextlib.suppress(OSError):
            self._monitor.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._monitor.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._monitor.recv(65_536):
                self._commands += data

    def _look(self) -> None:
        while not self._ending.wait(0.1):
            for pid in marked(self._mark):
                with contextlib.suppress(OSError):
                    argv = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
                    self.argvs.add(argv)
                    if b"quarry.executor" in argv:
                        self.executors.add(Path(f"/proc/{pid}/environ").read_bytes())


def dump(client: redis.Redis) -> bytes:
    """Give all keys and values of a Redis."""
    told = []
    for key in client.scan_iter(count=1000):
        kind = client.type(key)
        value: Any = {
            b"string": client.get,
            b"hash": client.hgetall,
            b"list": lambda key: client.lrange(key, 0, -1),
            b"set": client.smembers,
            b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
            b"stream": client.xrange,
        }[kind](key)
        told += [key, *_flat(value)]
    return b"\n".join(told)


def _flat(value: Any) -> list[bytes]:
    if isinstance(value, bytes):
        return [value]
    if isinstance(value, dict):
        return [part for pair in value.items() for each in pair for part in _flat(each)]
    if isinstance(value, (list, tuple, set)):
        return [part for each in value for part in _flat(each)]
    return [str(value).encode()]
