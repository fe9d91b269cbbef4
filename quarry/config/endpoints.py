"""One proxy endpoint as users write it: a URL, or its parts.

No message repeats any of it: the part that is wrong may be the password.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote

from quarry.config.values import one_of
from quarry.types.proxy import PROTOCOLS, Endpoint
from quarry.types.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

FORM = "http://USER:PASSWORD@HOST:PORT"
"""How an endpoint is written, for messages."""

_MAX_PORT = 65_535
_MAX_HOST_CHARS = 253
_MAX_SOCKS_BYTES = 255
_MAX_BYTES = 1024
_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_IPV6 = re.compile(r"[0-9a-fA-F:.]+")
_LAST_IS_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0[xX][0-9a-fA-F]*)")
_BAD_PERCENT = re.compile(r"%(?![0-9a-fA-F]{2})")
_DIGITS = re.compile(r"[0-9]{1,9}")
_CUT_SHORT = re.compile(r"[/?#]")
_PORT_THEN_MORE = re.compile(r"(\[[^\]]*\]|[^:@/\[\]]+):[0-9]+:[^@/]+")
"""``host:port:user:password``, as some providers list their proxies."""

_EMPTY = "must not be empty; a proxy that asks for none has neither username nor password"

_T = TypeVar("_T")

check_protocol = one_of(PROTOCOLS)


def parse_endpoint(text: str) -> tuple[Endpoint | None, list[str]]:
    """Read ``protocol://[user:password@]host:port``, user and password percent-encoded.

    Returns:
        The endpoint, or None and all that is wrong with it.
    """
    before, separator, after = text.strip().partition("://")
    protocol_text, rest = (before, after) if separator else ("", before)
    if _PORT_THEN_MORE.fullmatch(rest):
        return None, [f"is host:port:user:password; write it as {FORM}"]
    if not separator:
        return None, [f"must be a URL such as {FORM}"]
    credentials, at, address = rest.rpartition("@")
    if _CUT_SHORT.search(credentials):
        return None, ["user and password must be percent-encoded: / is %2F, ? is %3F, # is %23"]
    problems: list[str] = []
    if _CUT_SHORT.search(address.removesuffix("/")):
        problems.append("must end after the port: a proxy's URL has no path, ? or #")
        address = _CUT_SHORT.split(address, maxsplit=1)[0]
    host_text, port_text = split_address(address)
    protocol = _checked(check_protocol, protocol_text.lower(), "the protocol", problems, "")
    host = _checked(check_url_host, host_text, "the host", problems, "")
    port = 0
    if port_text is None:
        problems.append("has no port; write it after the host, as in HOST:8080")
    else:
        port = _checked(check_port, port_text, "the port", problems, 0)
    username: str | None = None
    password: Secret | None = None
    if at:
        username, password = _credentials(credentials, protocol, problems)
    if problems:
        return None, problems
    return Endpoint(protocol=protocol, host=host, port=port, username=username, password=password), []


def check_host(text: str) -> str:
    """Check a host: a name or an address, IPv6 with or without brackets; gives lower case, no brackets."""
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") and ":" in text else text
    try:
        if ":" in inner and _IPV6.fullmatch(inner):
            return str(ipaddress.IPv6Address(inner))
        if _LAST_IS_NUMBER.fullmatch(inner):
            return str(ipaddress.IPv4Address(inner))
    except ValueError:
        raise ValueError("must be a valid IPv4 or IPv6 address, or a name") from None
    if not _HOST.fullmatch(inner) or len(inner) > _MAX_HOST_CHARS:
        raise ValueError(
            "must be a name or an address alone, without protocol, port or path; a name in ASCII (xn--…)"
        )
    return inner.lower()


def check_url_host(text: str) -> str:
    """Check a host as it stands in a URL: IPv6 in brackets; gives lower case, no brackets."""
    if ":" in text and not text.startswith("["):
        raise ValueError(
            "must be a name or an address, an IPv6 address in brackets, as in [2001:db8::1]:8080"
        )
    return check_host(text)


def check_port(text: str) -> int:
    """Check a port."""
    if not _DIGITS.fullmatch(text) or not 1 <= int(text) <= _MAX_PORT:
        raise ValueError(f"must be a whole number from 1 to {_MAX_PORT}")
    return int(text)


def username_problems(text: str, protocol: str | None) -> list[str]:
    """Say what is wrong with a username; with protocol None only what is wrong with any."""
    problems = [_EMPTY] if not text else credential_problems(text, protocol)
    if protocol in {"http", "https"} and ":" in text:
        problems.append("must hold no colon: it ends the username in what HTTP sends")
    return problems


def password_problems(text: str, protocol: str | None) -> list[str]:
    """Say what is wrong with a password; an empty one is one, but for SOCKS5, which has none (RFC 1929)."""
    return [_EMPTY] if not text and protocol == "socks5" else credential_problems(text, protocol)


def credential_problems(text: str, protocol: str | None) -> list[str]:
    """Say what is wrong with a username or a password, whatever it is."""
    if not (text.isascii() and text.isprintable()) and any(
        unicodedata.category(c) in {"Cc", "Cs"} for c in text
    ):
        return ["must hold no control characters and no bytes that are not UTF-8"]
    most = _MAX_SOCKS_BYTES if protocol == "socks5" else _MAX_BYTES
    if len(text.encode()) > most:
        return [f"must not be longer than {most} bytes" + (" with socks5" if protocol == "socks5" else "")]
    return []


def split_address(address: str) -> tuple[str, str | None]:
    """Split what follows the credentials of a URL into host and port; None is no port."""
    address = address.removesuffix("/")
    host, colon, port = address.rpartition(":")
    if not colon or "]" in port:  # the colon of an IPv6 address
        return address, None
    return host, port


def _credentials(text: str, protocol: str, problems: list[str]) -> tuple[str, Secret]:
    username_text, colon, password_text = text.partition(":")
    if not colon:
        problems.append("has a username without a password; give both or neither")
        return "", Secret("")
    told: list[str] = []
    username = _checked(_decoded, username_text, "the username", told, "")
    password = _checked(_decoded, password_text, "the password", told, "")
    if not told:
        told += [f"the username {problem}" for problem in username_problems(username, protocol)]
        told += [f"the password {problem}" for problem in password_problems(password, protocol)]
    problems += told
    return username, Secret(password)


def _decoded(text: str) -> str:
    if _BAD_PERCENT.search(text):
        raise ValueError("holds a % without two hexadecimal digits after it; % itself is %25")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("must be UTF-8 where it is percent-encoded") from None


def _checked(check: Callable[[str], _T], text: str, what: str, problems: list[str], failed: _T) -> _T:
    try:
        return check(text)
    except ValueError as error:
        problems.append(f"{what} {error}")
        return failed
