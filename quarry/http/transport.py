"""What the client asks of the library below it; another library can be put in its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from quarry.http.proxy import ProxyAddress


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """One request, ready to be sent.

    Attributes:
        method: In capitals.
        url: http or https, percent-encoded.
        headers: In order; they replace what the impersonated browser would send.
        body: None: no body.
        timeout_s: For the whole exchange, redirects included; above 0.
        max_redirects: 0: a redirect is the response.
        max_bytes: Bound of the decompressed body.
        proxy: None: direct, whatever the environment says.
        impersonate: Browser whose TLS, HTTP/2 and default headers are imitated, or None.
        verify: Check certificates; a path names the file of accepted authorities.
        cookies: Netscape cookie lines that apply.
    """

    method: str
    url: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | None = None
    timeout_s: float = 30.0
    max_redirects: int = 20
    max_bytes: int = 64 * 1024 * 1024
    proxy: ProxyAddress | None = None
    impersonate: str | None = None
    verify: bool | str = True
    cookies: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What came back.

    Attributes:
        status_code: Of the last response.
        url: Of the last response, after redirects.
        header_lines: Of the last response, without the status line.
        content: The decompressed body.
        cookies: All cookies that hold now, as Netscape lines.
    """

    status_code: int
    url: str
    header_lines: list[bytes]
    content: bytes
    cookies: list[str]


class Transport(Protocol):
    """Performs exchanges for all runs of a process; keeps connections, but nothing of a run."""

    async def fetch(self, exchange: Exchange) -> Fetched:
        """Perform one exchange; cancelling it frees everything it held.

        Raises:
            FetchError: No usable response; its message names neither proxy password nor URL.
        """

    async def close(self) -> None:
        """Close connections; exchanges under way fail."""
