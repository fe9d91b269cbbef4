"""What can go wrong with a fetch, in words that carry no password."""

from __future__ import annotations

from typing import Literal

from quarry.errors import QuarryError

FetchErrorKind = Literal[
    "url",
    "resolve",
    "connect",
    "proxy",
    "tls",
    "timeout",
    "broken",
    "too_large",
    "redirect",
    "status",
    "other",
]
"""Where a fetch failed: the URL itself, the name, the connection, the proxy (its fault, not the target's:
PROXY-18), TLS, the time limit, a connection lost half-way, the size limit, too many redirects, the status
(only with ``raise_for_status``), anything else."""

CONNECTION_KINDS = frozenset({"resolve", "connect", "proxy", "tls", "broken"})
"""Kinds after which the same request may succeed on a new connection."""


class FetchError(QuarryError):
    """A request got no usable response.

    Args:
        message: What failed, with method and URL (without user info).
        kind: Where it failed.
        url: The URL without user info.
        tries: How often it was tried.
        lasting: Nothing but another proxy, or its configuration, can help; it is not tried again.
        unheard: A timeout that may be the proxy's: nothing came back through it.
        target_refused: Kind ``proxy``, but only this target is refused: the endpoint's health is left alone.
    """

    code = "fetch"

    def __init__(
        self,
        message: str,
        *,
        kind: FetchErrorKind,
        url: str,
        tries: int = 1,
        lasting: bool = False,
        unheard: bool = False,
        target_refused: bool = False,
    ) -> None:
        super().__init__(message, retryable=not lasting and (kind in CONNECTION_KINDS or kind == "timeout"))
        self.lasting = lasting
        self.unheard = unheard
        self.target_refused = target_refused
        self.kind: FetchErrorKind = kind
        self.url = url
        self.tries = tries


class HttpStatusError(FetchError):
    """``raise_for_status`` met a status of 400 or above.

    Args:
        status_code: The status.
        url: The URL without user info.
    """

    code = "http_status"

    def __init__(self, status_code: int, url: str) -> None:
        super().__init__(f"HTTP {status_code} from {url}", kind="status", url=url)
        self.status_code = status_code
        self.retryable = status_code == 429 or status_code >= 500  # noqa: PLR2004 - HTTP's own numbers
