"""A site on several addresses of loopback that remembers where each request came from."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs, urlsplit

from tests.workers.kit import free_port

HOSTS = tuple(f"127.0.0.{last}" for last in range(1, 9))
"""Where it listens: as many domains."""

_BODY = b"<p>" + b"a page " * 300 + b"</p>"


@dataclass(frozen=True)
class Seen:
    """One request.

    Attributes:
        peer: Address that it came from: each proxy has its own; 127.0.0.1 is nobody's.
        host: The site's name, as the request has it.
        path: Without query.
        query: First value of each name.
    """

    peer: str
    host: str
    path: str
    query: dict[str, str]


class Site:
    """Serves until the block ends; every answer closes its connection, so that proxies log each request.

    ``?wait=S`` in a request lets its answer take S seconds.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self._seen: list[Seen] = []
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def url(self, host: str = HOSTS[0]) -> str:
        """Address of its root under one of its names."""
        return f"http://{host}:{self.port}"

    @property
    def seen(self) -> list[Seen]:
        """Every request so far, in order of arrival."""
        with self._lock:
            return list(self._seen)

    def of(self, path: str) -> list[Seen]:
        """Requests for paths that begin so."""
        return [seen for seen in self.seen if seen.path.startswith(path)]

    def in_flight(self, peer: str) -> int:
        """How many requests from an address have come and are not answered yet."""
        with self._lock:
            return self._open[peer]

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._serve, HOSTS, self.port, backlog=256, family=socket.AF_INET)
        self._started.set()
        await self._ending.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
                await self._answer(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        parts = urlsplit(head[0].split(" ")[1])
        host = next(line[6:] for line in head if line.lower().startswith("host: "))
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        peer = writer.get_extra_info("peername")[0]
        with self._lock:
            self._seen.append(Seen(peer, host.partition(":")[0], parts.path, query))
            self._open[peer] += 1
        try:
            await asyncio.sleep(float(query.get("wait", 0)))
        finally:
            with self._lock:
                self._open[peer] -= 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY))
        await writer.drain()
