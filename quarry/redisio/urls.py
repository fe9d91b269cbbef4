"""Redis addresses: TCP and unix sockets, in redis-py's form and in kombu's."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from quarry.errors import ConfigError

_TCP_SCHEMES = frozenset({"redis", "rediss"})
_SOCKET_SCHEMES = frozenset({"unix", "redis+socket"})
_SECRET_PARAMETER = re.compile(r"([?&][^=&]*(?:password|secret|token)[^=&]*=)[^&#]*", re.IGNORECASE)
_PARAMETERS = frozenset(
    {
        "client_name",
        "db",
        "health_check_interval",
        "password",
        "protocol",
        "socket_connect_timeout",
        "socket_keepalive",
        "socket_timeout",
        "ssl_ca_certs",
        "ssl_ca_path",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_keyfile",
        "username",
        "virtual_host",
    }
)
_ENCODING = (
    "special characters in a user name or password must be percent-encoded (# is %23, / is %2F, ? is %3F,"
    " @ is %40, % is %25)"
)
MAX_SOCKET_PATH_BYTES = 107
"""Longest path of a unix socket (Linux)."""


def client_url(url: str) -> str:
    """Give the address as redis-py wants it.

    Args:
        url: ``redis://``, ``rediss://``, ``unix:///path?db=0`` or kombu's ``redis+socket:///path?virtual_host=0``.

    Raises:
        ConfigError: Another scheme, no path, a path too long for a socket, a database that is no number.
    """
    parts = _split(url)
    if parts.scheme in _TCP_SCHEMES:
        _check_user_info(url, parts)
        database = parts.path.strip("/")
        if database and not (database.isascii() and database.isdigit()):
            raise ConfigError(f"{redacted(url)}: the database is a number: redis://HOST:PORT/0")
        _check_parameters(parts.query)
        return url
    if parts.scheme not in _SOCKET_SCHEMES:
        raise ConfigError(
            f"{redacted(url)}: not a Redis address; write redis://HOST:PORT/DB or unix:///PATH?db=0"
        )
    _check_parameters(parts.query)
    return f"unix://{_user_info(parts.netloc)}{_socket_path(url)}?db={_database(url)}"


def broker_url(url: str) -> str:
    """Give the address as kombu wants it; the inverse of `client_url` for unix sockets.

    Raises:
        ConfigError: As `client_url`.
    """
    parts = _split(url)
    if parts.scheme not in _SOCKET_SCHEMES:
        return client_url(url)
    return f"redis+socket://{_user_info(parts.netloc)}{_socket_path(url)}?virtual_host={_database(url)}"


def redacted(url: str) -> str:
    """Give the address without its password, for messages and logs.

    Whatever stands before the last ``@`` may be part of a password, slashes and hashes that should have been
    percent-encoded included; so may a parameter whose name says so.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "(malformed address)" if "@" in url else url
    user_info, at, host = rest.rpartition("@")
    user = user_info.partition(":")[0]
    shown = _SECRET_PARAMETER.sub(r"\1***", f"{user}:***@{host}" if at else host)
    return f"{scheme}://{shown}"


def is_socket(url: str) -> bool:
    """Say whether the address is a unix socket."""
    return _split(url).scheme in _SOCKET_SCHEMES


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ConfigError(
            f"the broker's address is malformed; write redis://HOST:PORT/DB{_encoding_hint(url)}"
        ) from None
    return parts


def _encoding_hint(url: str) -> str:
    return f"; {_ENCODING}" if "@" in url else ""


def _check_user_info(url: str, parts: SplitResult) -> None:
    """Refuse an address that a character of its user or password cuts short; the rest is not shown."""
    names = parse_qs(parts.query, keep_blank_values=True).keys()
    cut = any("@" in text for text in (parts.path, parts.fragment, *names)) or (
        "@" in parts.query and not names <= _PARAMETERS
    )
    if not parts.hostname:
        hint = _encoding_hint(url) if cut else ""
        raise ConfigError(f"{redacted(url)}: no host in it; write redis://HOST:PORT/DB{hint}")
    if cut:
        raise ConfigError(f"the broker's address is malformed: {_ENCODING}")


def _check_parameters(query: str) -> None:
    """Refuse what redis-py would not understand; values are not shown."""
    unknown = sorted(set(parse_qs(query, keep_blank_values=True)) - _PARAMETERS)
    if unknown:
        raise ConfigError(
            f"the broker's address has a parameter that is not known: {', '.join(map(repr, unknown))};"
            f" known are {', '.join(sorted(_PARAMETERS))}"
        )


def _user_info(netloc: str) -> str:
    user_info, at, _ = netloc.rpartition("@")
    return user_info + at


def _socket_path(url: str) -> str:
    path = urlsplit(url).path
    if not path.strip("/"):
        raise ConfigError(f"{redacted(url)}: no socket path in it; write unix:///PATH?db=0")
    if len(unquote(path).encode()) > MAX_SOCKET_PATH_BYTES:
        raise ConfigError(f"{redacted(url)}: a socket path has at most {MAX_SOCKET_PATH_BYTES} bytes")
    return quote(unquote(path))


def _database(url: str) -> int:
    query = parse_qs(urlsplit(url).query)
    text = (query.get("db") or query.get("virtual_host") or ["0"])[-1].strip("/") or "0"
    if not text.isascii() or not text.isdigit():
        raise ConfigError(f"{redacted(url)}: the database is a number, not {text!r}")
    return int(text)
