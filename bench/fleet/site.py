"""Serves pages of one size on loopback, until standard input ends; prints its address.

python bench/fleet/site.py BYTES
"""

from __future__ import annotations

import asyncio
import sys


def page(size: int) -> bytes:
    """Make a page of about that size, with links like a shop's."""
    row = (
        '<li class="product"><a href="/p/{n}">Product number {n}</a> <span class="price">{n}.99</span></li>\n'
    )
    rows, n, left = [], 0, size - 120
    while left > 0:
        rows.append(row.format(n=n))
        left -= len(rows[-1])
        n += 1
    return (
        "<!doctype html><html><head><title>A page</title></head><body><ul>"
        + "".join(rows)
        + "</ul></body></html>"
    ).encode()


async def main() -> None:
    """Serve until standard input ends."""
    body = page(int(sys.argv[1]))
    answer = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n" % len(body)
        + body
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
