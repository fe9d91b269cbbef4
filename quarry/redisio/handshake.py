"""Whether a silent address speaks TLS where plain TCP was tried, or plain TCP where TLS was.

Redis itself says neither: to a TLS greeting a plain server stays silent, and a TLS server drops a plain one.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from urllib.parse import urlsplit

_PORT = 6379
_LIMIT_S = 2.0


async def speaks_the_other(url: str) -> bool:
    """Say whether Redis would answer at this address if ``redis://`` and ``rediss://`` were exchanged.

    Args:
        url: ``redis://`` or ``rediss://``; anything else answers False.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        return False
    try:
        async with asyncio.timeout(_LIMIT_S):
            if parts.scheme == "rediss":
                return await _answers_plain(parts.hostname, parts.port or _PORT)
            return await _answers_tls(parts.hostname, parts.port or _PORT)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False


async def _answers_plain(host: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"PING\r\n")
        return await reader.readexactly(1) in (b"+", b"-")  # an error is an answer too: no password was sent
    finally:
        await _close(writer)


async def _answers_tls(host: str, port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent; whether it speaks TLS is all that is asked
    _, writer = await asyncio.open_connection(host, port, ssl=context)
    await _close(writer)
    return True


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
