"""A response: a status is data, not an exception."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from quarry.http.charset import find_encoding
from quarry.http.errors import HttpStatusError
from quarry.http.headers import Headers, parse_headers
from quarry.http.url import link_bases, public_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from selectolax.lexbor import LexborHTMLParser

_ERROR_STATUS = 400

_SIMPLE_LINK = re.compile(
    r"(?![?#]|\Z)/?(?:[\w-][\w.%-]*/)*(?:[\w-][\w.%-]*)?(?:\?[\w.&=%+/-]+)?(?:#[\w-]+)?\Z"
)
"""Most links of most pages: a path without dot segments. They are joined eight times faster by hand."""


class Response:
    """The answer to a request; its body is in memory.

    Args:
        status_code: Of the last response.
        url: Of the last response, after redirects.
        header_lines: As on the wire, parsed on first use.
        content: The decompressed body.

    Attributes:
        status_code: 200, 404 …
        url: Base of ``urljoin``.
        content: Bytes of the body.
    """

    __slots__ = ("_bases", "_encoding", "_header_lines", "_headers", "_text", "content", "status_code", "url")

    def __init__(self, *, status_code: int, url: str, header_lines: Sequence[bytes], content: bytes) -> None:
        self.status_code = status_code
        self.url = url
        self.content = content
        self._header_lines = header_lines
        self._headers: Headers | None = None
        self._encoding: str | None = None
        self._text: str | None = None
        self._bases: tuple[str, str] | None = None

    def __repr__(self) -> str:
        """Show status, URL without user info, and size."""
        return f"<Response {self.status_code} {public_url(self.url)} {len(self.content)} bytes>"

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < _ERROR_STATUS

    @property
    def headers(self) -> Headers:
        """Headers of the last response."""
        if self._headers is None:
            self._headers = Headers(parse_headers(self._header_lines))
        return self._headers

    @property
    def encoding(self) -> str:
        """Encoding of ``text``: byte order mark, Content-Type, ``<meta charset>``, else UTF-8. May be set."""
        if self._encoding is None:
            self._encoding = find_encoding(self.headers.get("content-type", ""), self.content)
        return self._encoding

    @encoding.setter
    def encoding(self, name: str) -> None:
        self._encoding = name
        self._text = None

    @property
    def text(self) -> str:
        """The body as text; bytes that don't fit the encoding become U+FFFD."""
        if self._text is None:
            self._text = self.content.decode(self.encoding, errors="replace")
        return self._text

    def json(self) -> Any:
        """Parse the body as JSON.

        Raises:
            json.JSONDecodeError: It is none.
        """
        return json.loads(self.content)

    def html(self) -> LexborHTMLParser:
        """Parse the body as HTML with selectolax; each call parses anew.

        Returns:
            A parser with ``css``, ``css_first``, ``body`` and the rest of its documented interface.
        """
        from selectolax.lexbor import LexborHTMLParser

        return LexborHTMLParser(self.text)

    def urljoin(self, href: str | None) -> str:
        """Make a link of this page absolute.

        Args:
            href: As in the page; None (an attribute without value) counts as empty.

        Returns:
            The absolute URL, with its fragment; ``<base>`` elements are not considered.
        """
        link = (href or "").strip()
        if _SIMPLE_LINK.match(link):
            if self._bases is None:
                self._bases = link_bases(self.url)
            root, folder = self._bases
            if root:
                return f"{root}{link}" if link[0] == "/" else f"{folder}{link}"
        return urljoin(self.url, link)

    def raise_for_status(self) -> Response:
        """Raise where the status is 400 or above.

        Returns:
            The response itself.

        Raises:
            HttpStatusError: With the status and the URL.
        """
        if self.status_code >= _ERROR_STATUS:
            raise HttpStatusError(self.status_code, public_url(self.url))
        return self
