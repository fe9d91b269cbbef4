"""The cookies of one run, in the lines that libcurl speaks (Netscape format)."""

from __future__ import annotations

_FIELDS = 7
_HTTP_ONLY = "#HttpOnly_"


class CookieStore:
    """Holds the cookies of one run; never shared with another.

    libcurl decides which cookies a request carries and what a response changes; this keeps the lines between
    the requests, which may overlap.
    """

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str, str], str] = {}

    def __len__(self) -> int:
        """Count the cookies."""
        return len(self._lines)

    def lines(self) -> list[str]:
        """Give all cookies, as lines."""
        return list(self._lines.values())

    def values(self) -> dict[str, str]:
        """Give name and value of every cookie; of equal names the last set."""
        return {key[2]: line.split("\t")[6] for key, line in self._lines.items()}

    def put(self, name: str, value: str, *, domain: str, path: str = "/", secure: bool = False) -> None:
        """Set a cookie until the run ends.

        Args:
            name: Name, without white space.
            value: Value.
            domain: Host; with a leading dot its subdomains too.
            path: Path prefix.
            secure: Over https only.

        Raises:
            ValueError: A part holds a tab or a line break.
        """
        parts = (domain, path, name, value)
        if any(mark in part for part in parts for mark in "\t\r\n"):
            raise ValueError("a cookie's name, value, domain and path can't hold tabs or line breaks")
        subdomains = "TRUE" if domain.startswith(".") else "FALSE"
        self._keep("\t".join((domain, subdomains, path, str(secure).upper(), "0", name, value)))

    def merge(self, sent: list[str], now: list[str]) -> None:
        """Take over what one request changed.

        Args:
            sent: The lines that it went out with.
            now: The lines that held after it; one that was sent and is missing was deleted or has expired.
        """
        now = [line for line in now if line.count("\t") == _FIELDS - 1]
        for line in now:
            self._keep(line)
        for key in {_key(line) for line in sent} - {_key(line) for line in now}:
            self._lines.pop(key, None)

    def _keep(self, line: str) -> None:
        self._lines[_key(line)] = line


def _key(line: str) -> tuple[str, str, str]:
    domain, _, path, _, _, name, _ = line.split("\t")
    return domain.removeprefix(_HTTP_ONLY).lstrip("."), path, name
