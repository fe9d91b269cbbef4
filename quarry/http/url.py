"""URLs on their way out and in messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from quarry.http.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SAFE = "!#$%&'()*+,/:;=?@[]~|"
_PLAIN = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d{1,5})?(?:/(?:[!$&-;=?-Z\[\]_a-z~|]|%[0-9A-Fa-f]{2})*)?\Z")
"""What needs no work: nearly every URL."""

QueryValue = str | int | float | bool


def request_url(url: str, params: Mapping[str, QueryValue | Sequence[QueryValue]] | None = None) -> str:
    """Make a URL fit for the wire.

    Args:
        url: http or https; characters that may not stand in a URL are percent-encoded, escapes stay.
        params: Added to the query.

    Raises:
        FetchError: Not an http or https URL with a host.
    """
    if params:
        url = _with_query(url, params)
    if _PLAIN.match(url):
        return url
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname
    except ValueError as error:
        raise FetchError(f"{url!r} is no URL: {error}", kind="url", url="") from error
    if parts.scheme not in {"http", "https"} or not host:
        shown = public_url(url)
        raise FetchError(f"{shown!r} is not an absolute http or https URL", kind="url", url=shown)
    cleaned = parts._replace(path=_quote(parts.path), query=_quote(parts.query), fragment="")
    return urlunsplit(cleaned)


def public_url(url: str) -> str:
    """Take user and password out of a URL, for messages."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def link_bases(url: str) -> tuple[str, str]:
    """Give what an absolute and what a relative path are appended to.

    Returns:
        ``http://host`` and ``http://host/folder/``; both empty where the URL is too odd to say so simply.
    """
    path = url.partition("#")[0].partition("?")[0]
    scheme, mark, rest = path.partition("://")
    host, slash, _ = rest.partition("/")
    if not mark or not slash or ";" in rest or "/." in path or "//" in rest:
        return "", ""
    return f"{scheme}://{host}", path[: path.rindex("/") + 1]


def _with_query(url: str, params: Mapping[str, QueryValue | Sequence[QueryValue]]) -> str:
    parts = urlsplit(url)
    added = urlencode({name: _texts(value) for name, value in params.items()}, doseq=True)
    return urlunsplit(parts._replace(query=f"{parts.query}&{added}" if parts.query else added))


def _texts(value: QueryValue | Sequence[QueryValue]) -> list[str]:
    values = [value] if isinstance(value, str | int | float) else list(value)
    return [str(part).lower() if isinstance(part, bool) else str(part) for part in values]


def _quote(text: str) -> str:
    # A percent sign that starts no escape would be read as one by the server.
    return quote(re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text), safe=_SAFE)
