"""Keys of the configuration file: where they stand, and how much of them may be shown.

What users put in the wrong place is often a secret: a URL with a password where a name belongs, `{…}` around
a value, which makes a key of it. A message about such a key leaves that part out; line and column find it.
"""

from __future__ import annotations

from typing import NamedTuple

Part = str | int
Key = tuple[Part, ...]

ENDPOINT_KEYS = ("protocol", "host", "port", "username", "password")
"""What an endpoint is defined by."""

_HIDDEN = "(not shown)"
_MAX_SHOWN_CHARS = 100
_POOL_PARTS = 2
_LIST_PARTS = 3
"""Parts of the key ``proxies.NAME.endpoints``."""


class Place(NamedTuple):
    """Where something stands, both from 1."""

    line: int
    column: int


class KeyProblem(NamedTuple):
    """What is wrong, or remarkable, at a key."""

    key: Key
    text: str


def dotted(key: Key) -> str:
    """Give a key as people read it, ``proxies.shop.endpoints[3].port``, without what may be a secret."""
    told = ""
    for part in key[: _shown_parts(key)]:
        if isinstance(part, int):
            told += f"[{part}]"
        else:
            told += ("." if told else "") + (part if is_showable(part) else _HIDDEN)
    return told


def subject(key: Key) -> str:
    """Give what a message is about, where that is a key that `dotted` leaves out; else nothing."""
    return "a key in it " if _shown_parts(key) < len(key) else ""


def is_showable(text: str) -> bool:
    """Say whether a text that the user wrote is short, and can't be a URL with a password."""
    return "@" not in text and "://" not in text and len(text) <= _MAX_SHOWN_CHARS


def is_secret(key: Key) -> bool:
    """Say whether a text at this key is taken as a secret: also one in place of a mapping or a list."""
    if key[:1] == ("secrets",):
        return True
    if _is_of_endpoints(key):
        return len(key) <= _LIST_PARTS + 1 or key[-1] == "password"
    return key[:1] == ("proxies",) and len(key) <= _POOL_PARTS


def is_name_of_secrets(key: Key) -> bool:
    """Say whether a text at this key names a variable that holds secrets."""
    return key[:1] == ("proxies",) and key[_POOL_PARTS:] == ("endpoints_env",)


def is_single_secret(key: Key) -> bool:
    """Say whether nothing but a text belongs here, a secret one."""
    return is_secret(key) and len(key) == (_POOL_PARTS if key[0] == "secrets" else _LIST_PARTS + 2)


def has_column(key: Key) -> bool:
    """Say whether messages about this key name the column too."""
    return key[:1] in {("proxies",), ("secrets",)}


def _is_of_endpoints(key: Key) -> bool:
    return key[:1] == ("proxies",) and key[_POOL_PARTS:_LIST_PARTS] == ("endpoints",)


def _shown_parts(key: Key) -> int:
    if key[:1] == ("secrets",):
        return 1
    if not _is_of_endpoints(key):
        return len(key)
    inner = key[_LIST_PARTS:]
    if not inner or not isinstance(inner[0], int):
        return _LIST_PARTS
    return _LIST_PARTS + (2 if len(inner) > 1 and inner[1] in ENDPOINT_KEYS else 1)
