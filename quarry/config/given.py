"""What the sources gave, before defaults: each value with the place that it came from."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a command was given.

    Attributes:
        flags: Texts by dotted key; ``true`` for a switch.
        config: Value of ``--config``.
        script: The SCRIPT argument.
        url: The URL argument.
        environment: All variables.
        cwd: Working directory, absolute.
        run: Whether the command is ``quarry run``: it needs a script and writes.
        crawl: Whether it is another one that starts runs: what they need is checked.
    """

    flags: Mapping[str, str] = field(default_factory=dict)
    config: str | None = None
    script: str | None = None
    url: str | None = None
    environment: Mapping[str, str]
    cwd: str
    run: bool = False
    crawl: bool = False


@dataclass(frozen=True)
class Given:
    """A value that a source gave.

    Attributes:
        value: Checked.
        place: Where it was given, for messages: ``--depth``, ``QUARRY_DEPTH``, ``quarry.yaml:3: depth``.
        base: Folder that a relative path belongs to.
    """

    value: Any
    place: str
    base: str


class GivenValues:
    """The values of all sources, by dotted key; what was not given is not there.

    Args:
        given: Values without fault.
        faulty: Keys that were given with a fault; its problem is told already.
    """

    def __init__(self, given: Mapping[str, Given], faulty: Collection[str] = ()) -> None:
        self._given = given
        self._faulty = faulty

    def __contains__(self, key: str) -> bool:  # noqa: D105 - given, and without fault
        return key in self._given

    def is_faulty(self, key: str) -> bool:
        """Say whether a value was given that has a fault."""
        return key in self._faulty

    def get(self, key: str, default: Any = None) -> Any:
        """Give a value, or the default."""
        given = self._given.get(key)
        return default if given is None else given.value

    def place(self, key: str, default: str = "") -> str:
        """Say where a value was given."""
        given = self._given.get(key)
        return default if given is None else given.place

    def path(self, key: str) -> str | None:
        """Give a path, made absolute against the place that it was given in."""
        given = self._given.get(key)
        return None if given is None else absolute(given.base, given.value)

    def base(self, key: str, default: str) -> str:
        """Give the folder that relative paths of this key belong to."""
        given = self._given.get(key)
        return default if given is None else given.base


def absolute(base: str, path: str) -> str:
    """Make a path absolute; ``~`` is the user's home."""
    return os.path.normpath(os.path.join(base, os.path.expanduser(path)))
