"""A TCP proxy that adds latency: ``python -m tests.network.proxy HOST PORT ROUND_TRIP_MS``.

It prints its port, and serves loopback until its standard input ends. Each direction is half of a round trip late;
order is kept, and nothing waits for the bytes before it, as on a long cable.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    """Hand on what arrives, each piece so much later than it came."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=1000)

    async def deliver() -> None:
        while True:
            due, data = await waiting.get()
            if (left_s := due - loop.time()) > 0:
                await asyncio.sleep(left_s)
            if not data:
                break
            writer.write(data)
            await writer.drain()

    delivering = asyncio.create_task(deliver())
    try:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await waiting.put((loop.time() + delay_s, data))
        await waiting.put((loop.time() + delay_s, b""))
        with contextlib.suppress(OSError):
            await delivering
    finally:
        delivering.cancel()
        writer.close()


async def main(host: str, port: int, round_trip_ms: float) -> None:
    """Serve until standard input ends."""
    delay_s = round_trip_ms / 2000
    open_ones: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        for way in (_carry(reader, back, delay_s), _carry(there, writer, delay_s)):
            task = asyncio.create_task(way)
            open_ones.add(task)
            task.add_done_callback(open_ones.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    server.close()
    for task in list(open_ones):
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
