"""Response headers: names without case, every value kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence


class Headers(Mapping[str, str]):
    """Headers in the order in which they came.

    A name that came several times reads as its values joined by ``, ``; ``get_all`` gives them apart
    (``set-cookie`` needs that).

    Args:
        pairs: Names and values.
    """

    __slots__ = ("_values",)

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        """Give the value of a name, several joined by ``, ``."""
        return ", ".join(self._values[name.lower()])

    def __contains__(self, name: object) -> bool:
        """Say whether a name came."""
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, in small letters, in order of appearance."""
        return iter(self._values)

    def __len__(self) -> int:
        """Count the names."""
        return len(self._values)

    def __repr__(self) -> str:
        """Show names and values."""
        return f"Headers({dict(self)})"

    def get_all(self, name: str) -> list[str]:
        """Give every value of a name, in order; empty where it did not come."""
        return list(self._values.get(name.lower(), ()))


def parse_headers(lines: Sequence[bytes]) -> list[tuple[str, str]]:
    """Split header lines as they came on the wire.

    Args:
        lines: Without the status line; a line that starts with white space continues the one before.

    Returns:
        Names and values; bytes that are no UTF-8 are read as Latin-1.
    """
    pairs: list[tuple[str, str]] = []
    for line in lines:
        try:
            text = line.decode()
        except UnicodeDecodeError:
            text = line.decode("latin-1")
        if text[:1] in {" ", "\t"} and pairs:
            name, value = pairs[-1]
            pairs[-1] = (name, f"{value} {text.strip()}")
            continue
        name, colon, value = text.partition(":")
        if colon:
            pairs.append((name.strip(), value.strip()))
    return pairs
