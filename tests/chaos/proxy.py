"""A TCP proxy before Redis whose connections can be made half open: alive for both ends, and nothing passes.

``python -m tests.chaos.proxy SOCKET PORTS`` listens on that many loopback ports and prints them. A line
``drop PORT`` on its standard input swallows from then on what the connections of that port carry; new ones work.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys


class Proxy:
    """Passes bytes between one loopback port and a unix socket.

    Args:
        target: The socket.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._open: set[asyncio.Event] = set()
        # The loop holds tasks weakly, and nobody else knows those of a connection that carries nothing.
        self._tasks: set[asyncio.Task[None] | None] = set()

    def drop(self) -> int:
        """Make all connections of now half open; how many."""
        alive = [swallowed for swallowed in self._open if not swallowed.is_set()]
        for swallowed in alive:
            swallowed.set()
        return len(alive)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        swallowed = asyncio.Event()
        self._open.add(swallowed)
        self._tasks.add(asyncio.current_task())
        try:
            with contextlib.suppress(OSError):
                there, back = await asyncio.open_unix_connection(self._target)
                ways = {
                    asyncio.create_task(_carry(reader, back, swallowed)),
                    asyncio.create_task(_carry(there, writer, swallowed)),
                }
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                if swallowed.is_set():
                    # Neither end learns that the other has gone: Redis goes on serving a client that is not there.
                    await asyncio.wait(ways)
                for way in ways:
                    way.cancel()
                back.close()
        finally:
            self._open.discard(swallowed)
            self._tasks.discard(asyncio.current_task())
            writer.close()


async def _carry(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, swallowed: asyncio.Event
) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            if not swallowed.is_set():
                target.write(data)
                await target.drain()


async def main(target: str, ports: int) -> None:
    """Serve until standard input ends."""
    proxies: dict[str, Proxy] = {}
    for _ in range(ports):
        proxy = Proxy(target)
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        proxies[str(server.sockets[0].getsockname()[1])] = proxy
    print(*proxies, flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin.buffer
    )
    while line := await lines.readline():
        print(proxies[line.decode().split()[1]].drop(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
