"""libcurl's errors in our words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from quarry.http.blame import find_blame, timed_out_unheard
from quarry.http.curl_proxy import read_trace
from quarry.http.errors import FetchError, FetchErrorKind
from quarry.types.secret import HIDDEN

if TYPE_CHECKING:
    from quarry.http.transport import Exchange
    from quarry.types.proxy import Endpoint

_MESSAGE = re.compile(r"curl: \(\d+\)\s*(?P<text>.*?)\.?\s*(?:See https://|$)", re.DOTALL)

_KINDS: dict[int, FetchErrorKind] = {
    1: "url",
    3: "url",
    5: "proxy",
    6: "resolve",
    7: "connect",
    16: "broken",
    18: "broken",
    28: "timeout",
    35: "tls",
    47: "redirect",
    51: "tls",
    52: "broken",
    55: "broken",
    56: "broken",
    58: "tls",
    59: "tls",
    60: "tls",
    63: "too_large",
    77: "tls",
    83: "tls",
    90: "tls",
    92: "broken",
    95: "broken",
    97: "proxy",
}


def translated(error: Exception, info: Any, handle: Any, exchange: Exchange) -> FetchError:
    """Translate what ended a transfer; before its handle is reset.

    Args:
        error: A ``curl_cffi.CurlError``.
        info: ``curl_cffi.CurlInfo``.
        handle: The transfer's.
        exchange: What it was to do.
    """
    code, proxy = error_code(error), exchange.proxy
    kind = _KINDS.get(code, "other")
    if kind == "too_large":
        return too_large(exchange.max_bytes)
    unheard = False
    if proxy is not None:
        trace = read_trace(info, handle, code=code, proxy=proxy)
        blame, unheard = find_blame(trace), timed_out_unheard(trace)
        if blame is not None:
            message = f"the proxy {proxy.identity} {blame.words}"
            return FetchError(
                message, kind=blame.kind, url="", lasting=blame.lasting, target_refused=blame.target_refused
            )
    match = _MESSAGE.search(str(error))
    text = " ".join((match["text"] if match else str(error)).split())
    if proxy is not None and proxy.password:
        text = text.replace(proxy.password.reveal(), HIDDEN)
    return FetchError(text or "the transfer failed", kind=kind, url="", unheard=unheard)


def error_code(error: Exception) -> int:
    """Give libcurl's number of an error."""
    return int(getattr(error, "code", 0))


def refused(proxy: Endpoint, status: int) -> FetchError:
    """Make the error of a response that was the proxy's own refusal."""
    return FetchError(
        f"the proxy {proxy.identity} refuses the credentials (the {status} is its own)",
        kind="proxy",
        url="",
        lasting=True,
    )


def too_large(max_bytes: int) -> FetchError:
    """Make the error of a body above the bound."""
    return FetchError(f"the body is larger than max_bytes={max_bytes}", kind="too_large", url="")
