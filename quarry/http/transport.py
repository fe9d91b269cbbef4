"""What the client asks of the library below it; another library can be put in its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarry.types.proxy import Endpoint


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
        on_silent_end: Called where it is cancelled before anything at all has come back.
    """

    method: str
    url: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | None = None
    timeout_s: float = 30.0
    max_redirects: int = 20
    max_bytes: int = 64 * 1024 * 1024
    proxy: Endpoint | None = None
    impersonate: str | None = None
    verify: bool | str = True
    cookies: list[str] = field(default_factory=list)
    on_silent_end: Callable[[], None] | None = None


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Tunnel:
    """What came of a question for a tunnel.

    Attributes:
        stood: Whether the target was reached.
        answer: Status of an http or https proxy that refused; 0 where there was none.
        by_proxy: Whether it failed by the proxy's word or fault, and not the target's.
        target_refused: Whether the proxy refuses this very target, which is no fault.
        lifeless: Whether it failed without any reaction of the proxy.
    """

    stood: bool
    answer: int = 0
    by_proxy: bool = False
    target_refused: bool = False
    lifeless: bool = False


class Transport(Protocol):
    """Performs exchanges for all runs of a process; keeps connections, but nothing of a run."""

    async def fetch(self, exchange: Exchange) -> Fetched:
        """Perform one exchange; cancelling it frees everything it held.

        Raises:
            FetchError: No usable response; its message names neither proxy password nor URL. Kind ``proxy``
                is the proxy's fault unless ``target_refused``, any other is not; of one that is ``unheard``
                `lives` decides (PROXY-18).
        """

    async def try_tunnel(self, proxy: Endpoint, url: str, *, verify: bool | str = True) -> Tunnel:
        """Ask a proxy for a tunnel to the host and port of a URL; nothing is sent through it."""

    async def refuses_credentials(
        self, proxy: Endpoint, url: str, status: int, *, verify: bool | str = True
    ) -> bool:
        """Say of a 401 or 407 over plain HTTP whether it is the proxy's own; asks it, or remembers."""

    async def lives(self, proxy: Endpoint, *, verify: bool | str = True) -> bool:
        """Say whether a proxy reacts to a request for a tunnel to itself; asks it, or remembers."""

    async def close(self) -> None:
        """Close connections; exchanges under way fail."""
