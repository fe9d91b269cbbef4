"""The order of choices as Redis itself kept it: read from its append-only file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_marks(redis_folder: Path, pool: str, digest: str) -> list[int]:
    """Give the position of each choice of a pool, in the order in which Redis marked them.

    Each choice writes its number and then the entry of its endpoint, in one transaction of the file.

    Args:
        redis_folder: ``dir`` of the server.
        pool: Its name.
        digest: Of its definition.

    Raises:
        AssertionError: The numbers are not 1, 2, 3 and so on.
    """
    prefix = f"quarry:proxy:{{{pool}:{digest}}}:".encode()
    marks: list[int] = []
    due: int | None = None
    for file in sorted(redis_folder.glob("appendonlydir/*.incr.aof")):
        for command in _commands(file.read_bytes()):
            if command[0].upper() != b"HSET" or not command[1].startswith(prefix):
                continue
            part = command[1].removeprefix(prefix)
            if part == b"meta":
                due = int(command[3])
            elif part == b"endpoints" and due is not None:
                assert json.loads(command[3])[1] == due, command
                assert due == len(marks) + 1, command
                marks.append(int(command[2]))
                due = None
    return marks


def _commands(data: bytes) -> Iterator[list[bytes]]:
    """Split a file of commands in Redis's own protocol; half a command at its end is left out."""
    at = 0
    while at < len(data) and (end := data.find(b"\r\n", at)) > 0:
        if data[at : at + 1] != b"*":  # a remark about the time
            at = end + 2
            continue
        count, at, parts = int(data[at + 1 : end]), end + 2, []
        for _ in range(count):
            end = data.find(b"\r\n", at)
            if end < 0:
                return
            size = int(data[at + 1 : end])
            parts.append(data[end + 2 : end + 2 + size])
            at = end + 4 + size
        yield parts
