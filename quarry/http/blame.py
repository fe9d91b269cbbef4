"""Whose fault it is that a transfer through a proxy failed. Pure.

The rule is PROXY-18: what goes wrong before the target could be spoken to, with the proxy as its cause, is
the proxy's. What can't be told apart counts as the target's: a proxy that rests without reason costs the
whole fleet, one that is tried once more costs one request. A target that a proxy refuses by its rules (many
providers forbid some) is told as the proxy's word, and leaves its health alone: a few links to such a site
would rest every endpoint. A timeout with no sign of the proxy is decided by asking it (`quarry.http.doubts`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarry.http.errors import FetchErrorKind

_RESOLVE_PROXY, _CONNECT, _TIMEOUT, _PROXY = 5, 7, 28, 97
_TLS = frozenset({35, 51, 60, 83, 90})
_BROKEN = frozenset({16, 52, 55, 56})

_SUCCESS = range(200, 300)
_SERVER_ERROR = range(500, 600)
_CLIENT_ERROR = range(400, 500)
_AUTHENTICATION = frozenset({401, 407})
_PASSING = frozenset({408, 429})

# libcurl's CURLproxycode.
_SOCKS_CREDENTIALS = frozenset({10, 11, 12, 33})
_SOCKS_NOT_ALLOWED = 23
_SOCKS_TARGET = frozenset({9, 17, 19, 20, 21, 22, 24})
"""Name too long, type of address, refused, general failure (so microsocks says that a name is unknown), host
and network unreachable, TTL expired."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """What libcurl tells of a transfer that failed.

    Attributes:
        code: Its error code.
        protocol: Of the proxy.
        tunnelled: The target is https: an http or https proxy is asked to CONNECT.
        connections: New ones that it made, TCP at least; 0 also where it went over one that stood before.
        reached: Whether there was any connection, new or old.
        answer: Status that CONNECT was answered with; 0 is none.
        socks: SOCKS error, as libcurl numbers them; 0 is none.
        proxy_verified: Whether the certificate of an https proxy was found good.
        heard: Whether a header came back: of the answer to CONNECT, or of a response.
    """

    code: int
    protocol: str
    tunnelled: bool
    connections: int
    reached: bool
    answer: int = 0
    socks: int = 0
    proxy_verified: bool = True
    heard: bool = False


@dataclass(frozen=True, slots=True)
class Blame:
    """What a failure through a proxy is taken for.

    Attributes:
        kind: ``proxy`` where the proxy is at fault.
        words: Follow the proxy's name in the message.
        lasting: Trying again through it can't help.
        target_refused: The proxy does not connect to this target: no failure of its health.
    """

    kind: FetchErrorKind
    words: str
    lasting: bool = False
    target_refused: bool = False


def find_blame(trace: Trace) -> Blame | None:
    """Say whose fault a failure is.

    Returns:
        None: the target's, or nobody's: as it would be without a proxy.
    """
    by_proxy = trace.protocol != "socks5"
    if trace.code == _RESOLVE_PROXY:
        return Blame("proxy", "can't be resolved")
    if trace.answer and trace.answer not in _SUCCESS:
        return blame_of_answer(trace.answer)
    if trace.code == _CONNECT:
        return Blame("proxy", "can't be reached")
    if trace.code == _PROXY:
        return _blame_of_socks(trace.socks)
    verified = trace.protocol != "https" or trace.proxy_verified
    if trace.code == _TIMEOUT:
        if not trace.reached and not trace.connections:
            return Blame("proxy", "can't be reached: the connection timed out")
        return None if verified else Blame("proxy", "did not finish its TLS handshake in time")
    before_tunnel = by_proxy and trace.tunnelled and not trace.answer and trace.connections > 0
    if trace.code in _TLS and trace.protocol == "https" and (not trace.tunnelled or before_tunnel):
        return Blame("proxy", "failed in its TLS handshake")
    if trace.code in _BROKEN and (before_tunnel or not verified):
        return Blame("proxy", "broke the connection off before it had answered")
    return None


def timed_out_unheard(trace: Trace) -> bool:
    """Say whether a transfer timed out without a sign that the proxy lives; only where nobody was blamed."""
    return trace.code == _TIMEOUT and is_silent(trace)


def is_silent(trace: Trace) -> bool:
    """Say whether nothing at all has come back in a transfer, be it over or under way.

    Over a connection that stood before any silence is one: what it said then is old.
    """
    # libcurl names a peer once the SOCKS handshake is over, and TLS with an https target after it: till then
    # the proxy's reply goes unnoticed, and there is a doubt more.
    replied = trace.protocol == "socks5" and trace.connections > 0 and trace.reached
    return not (trace.heard or replied)


def is_lifeless(trace: Trace) -> bool:
    """Say whether a question for a tunnel failed without any reaction: not reached, or no answer in time."""
    return not trace.answer and trace.code in {_RESOLVE_PROXY, _CONNECT, _TIMEOUT}


def blame_of_answer(status: int) -> Blame:
    """Say whose fault it is that CONNECT was answered with a status other than 2xx."""
    told = f"(CONNECT was answered with {status})"
    if status in _AUTHENTICATION:
        return Blame("proxy", f"refuses the credentials {told}", lasting=True)
    if status in _SERVER_ERROR:
        return Blame("connect", f"can't reach the target {told}")
    refused = status in _CLIENT_ERROR
    return Blame(
        "proxy",
        f"refuses to connect to the target {told}",
        lasting=refused and status not in _PASSING,
        target_refused=refused,
    )


def _blame_of_socks(error: int) -> Blame:
    told = f"(SOCKS error {error} of libcurl)"
    if error in _SOCKS_CREDENTIALS:
        return Blame("proxy", f"refuses the credentials {told}", lasting=True)
    if error in _SOCKS_TARGET:
        return Blame("connect", f"can't reach the target {told}")
    if error == _SOCKS_NOT_ALLOWED:
        return Blame("proxy", f"refuses to connect to the target {told}", lasting=True, target_refused=True)
    return Blame("proxy", f"broke the SOCKS handshake {told}")
