"""A web server that misbehaves on demand, on loopback, inside the test's event loop."""

from __future__ import annotations

import asyncio
import gzip


class Server:
    """Answers by path; remembers the head of every request, and counts connections."""

    def __init__(self):
        self.heads = []
        self.bodies = []
        self.connections = 0
        self.failures = {}
        self._handlers = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=256)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers)

    def headers(self, index=-1):
        """Headers of a request, names in small letters."""
        lines = self.heads[index].decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if name}

    def line(self, index=-1):
        """First line of a request."""
        return self.heads[index].split(b"\r\n")[0].decode("latin-1")

    async def _connected(self, reader, writer):
        self.connections += 1
        handler = asyncio.current_task()
        self._handlers.add(handler)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                length = int(self.headers().get("content-length") or 0)
                self.bodies.append(await reader.readexactly(length))
                if not await self._answer(head, writer):
                    break
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self._handlers.discard(handler)
            writer.close()

    async def _answer(self, head, writer):
        target = head.split(b" ")[1].decode("latin-1")
        path = target.removeprefix(self.url).partition("?")[0]
        if self.failures.get(path, 0) > 0:
            self.failures[path] -= 1
            return False
        status, headers, body = "200 OK", [], b"hello"
        if path == "/slow":
            await asyncio.sleep(30)
        elif path == "/half":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            await writer.drain()
            return False
        elif path == "/redirect":
            status, headers, body = "302 Found", ["Location: /end", "Set-Cookie: hop=1"], b"moved"
        elif path == "/loop":
            status, headers = "302 Found", ["Location: /loop"]
        elif path == "/to-file":
            status, headers = "302 Found", ["Location: file:///etc/hostname"]
        elif path == "/set":
            headers = ["Set-Cookie: a=1; Path=/", "Set-Cookie: b=2; Path=/deep; HttpOnly"]
        elif path == "/delete":
            headers = ["Set-Cookie: a=; Path=/; Max-Age=0"]
        elif path == "/gzip":
            headers, body = ["Content-Encoding: gzip"], gzip.compress(b"z" * 100_000)
        elif path == "/page":
            body = b"x" * 20_000
        elif path.startswith("/status/"):
            status = f"{path.removeprefix('/status/')} As Asked"
        elif path == "/missing":
            status = "404 Not Found"
        elif path == "/json":
            headers, body = ["Content-Type: application/json"], b'{"a": [1, 2]}'
        elif path == "/latin":
            headers, body = (
                ["Content-Type: text/html; charset=iso-8859-1"],
                "<p>caf\u00e9 \u20ac</p>".encode("cp1252"),
            )
        elif path == "/empty":
            body = b""
        lines = "".join(f"{line}\r\n" for line in headers)
        if head.startswith(b"HEAD"):
            body = b""
        writer.write(f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        return True
