"""Texts that hold one endpoint a line: a file, or a variable.

A message repeats neither a path nor a variable's name before it is known to be one: a URL may stand there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from quarry.types.proxy import MAX_ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAX_FILE_BYTES = 64 * 1024 * 1024


def read_file(path: str, base: str) -> str:
    """Read a file of endpoints.

    Args:
        path: As given.
        base: Folder that a relative path belongs to.

    Raises:
        ValueError: With a message for the user.
    """
    if not path or "://" in path:
        raise ValueError(
            "must be the path of a file that holds one URL a line; a URL itself belongs under endpoints"
        )
    found = os.path.join(base, os.path.expanduser(path))
    if os.path.exists(found) and not os.path.isfile(found):
        raise ValueError("must be a regular file: the command and each worker read it")
    try:
        with open(found, "rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        told = error.strerror or "it is not readable"
        raise ValueError(f"can't be read: {told}; a relative path belongs to {base}") from None
    if len(data) > _MAX_FILE_BYTES:
        raise ValueError(f"is larger than {_MAX_FILE_BYTES} bytes; {MAX_ENDPOINTS} endpoints are the most")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(f"line {line} of it is not UTF-8; percent-encode user and password") from None


def read_variable(name: str, environment: Mapping[str, str]) -> str:
    """Read a variable that holds endpoints.

    Raises:
        ValueError: With a message for the user.
    """
    if not (name.isascii() and name.isidentifier()):
        raise ValueError("must be the name of a variable, such as SHOP_PROXIES, without $ or braces")
    text = environment.get(name)
    if not text:
        raise ValueError("names a variable that is not set, or is empty")
    return text


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines that hold endpoints, with their numbers from 1: no blank ones, no comments."""
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped
