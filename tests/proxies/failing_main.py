"""The program of `FailingProxy`: HOST PORT LOG SOURCE; standard input says USER:PASSWORD, then faults."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import socket
import struct
import sys
import time
from urllib.parse import urlsplit

_RESET = struct.pack("ii", 1, 0)
_WHILE_REFUSED = (
    b"HTTP/1.1 407 no\r\nProxy-Authenticate: Basic realm=p\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
_BAD_GATEWAY = b"HTTP/1.1 502 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """One listening proxy."""

    def __init__(self, host: str, port: int, log: str, credentials: str, source: str) -> None:
        self.host, self.port, self.source = host, port, source
        self.fault = "none"
        self._expected = f"Basic {base64.b64encode(credentials.encode()).decode()}"
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._number = 0
        self._server: asyncio.Server | None = None

    async def switch(self, fault: str) -> None:
        """Fail in this way from now on."""
        self.fault = fault
        if fault == "refuse" and self._server is not None:
            self._server.close()
            self._server = None
        elif fault != "refuse" and self._server is None:
            self._server = await asyncio.start_server(self._serve, self.host, self.port, backlog=256)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
            given = {name.lower(): value for name, value in headers.items()}.get("proxy-authorization")
            how = await self._answer(method, target, head, reader, writer, authorised=given == self._expected)
            self._note(method, target, authorised=given == self._expected, how=how)
        writer.close()

    def _note(self, method: str, target: str, *, authorised: bool, how: str) -> None:
        self._number += 1
        line = {"n": self._number, "ns": time.monotonic_ns(), "method": method, "target": target}
        # One write a line: a proxy that is killed leaves whole lines.
        os.write(self._log, json.dumps({**line, "authorised": authorised, "how": how}).encode() + b"\n")

    async def _answer(
        self,
        method: str,
        target: str,
        head: list[str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        authorised: bool,
    ) -> str:
        if not authorised or self.fault == "407":
            writer.write(_WHILE_REFUSED)
            await writer.drain()
            return "407"
        if self.fault == "502":
            writer.write(_BAD_GATEWAY)
            await writer.drain()
            return "502"
        if self.fault == "hang":
            self._note(method, target, authorised=True, how="began to hang")
            await reader.read()  # until the client has had enough
            return "hang"
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        there = await asyncio.open_connection(parts.hostname, parts.port or 80, local_addr=(self.source, 0))
        try:
            return await self._carry(method, parts, head, (reader, writer), there)
        finally:
            there[1].close()

    async def _carry(self, method, parts, head, here, there) -> str:
        (reader, writer), (far_reader, far_writer) = here, there
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 yes\r\n\r\n")
            await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
            return "carried"
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        hop = ("proxy-", "connection:")
        kept = [line for line in head[1:] if line and not line.lower().startswith(hop)]
        far_writer.write(
            "\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close\r\n\r\n"]).encode()
        )
        answer = await far_reader.read()
        if self.fault == "cut":
            writer.write(answer[: len(answer) // 2])
            await writer.drain()
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            return "cut"
        writer.write(answer)
        await writer.drain()
        return "carried"


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def main() -> None:
    """Serve until standard input ends."""
    host, port, log, source = sys.argv[1:]
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    credentials = (await orders.readline()).decode().strip()
    proxy = Proxy(host, int(port), log, credentials, source)
    while fault := (await orders.readline()).decode().strip():
        await proxy.switch(fault)
        print(fault, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
