"""Files of ``storage.put``: which names and sizes are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from quarry.ipc import MAX_FILE_BYTES

if TYPE_CHECKING:
    from quarry.ipc import FileWrite

_MAX_NAME_BYTES = 255


class FileStats(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run's file writes: stored, and refused or failed."""

    ok: int = 0
    refused: int = 0


class Files:
    """Names taken in one run."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._ok = 0
        self._refused = 0

    def refusal(self, write: FileWrite, *, terminated: bool) -> str | None:
        """Say why this write can't be stored; None where it can, and its name is taken then.

        Args:
            write: The request.
            terminated: The run's terminal event has come.
        """
        reason = "run already terminated" if terminated else name_problem(write.filename)
        if reason is None and len(write.data) > MAX_FILE_BYTES:
            reason = (
                f"the file has {len(write.data)} bytes; the limit is {MAX_FILE_BYTES};"
                " larger things are artifacts"
            )
        if reason is None and write.filename in self._taken:
            reason = f"a file named {write.filename!r} was already put by this run"
        if reason is None:
            self._taken.add(write.filename)
        else:
            self._refused += 1
        return reason

    def stored(self) -> None:
        """Count a write that succeeded."""
        self._ok += 1

    def failed(self, filename: str) -> None:
        """Count a write that storage refused; its name is free again."""
        self._refused += 1
        self._taken.discard(filename)

    def stats(self) -> FileStats:
        """Sum up."""
        return FileStats(ok=self._ok, refused=self._refused)


def name_problem(filename: str) -> str | None:
    """Say what is wrong with a file's name; None where nothing is."""
    if not filename:
        return "the file name is empty"
    if filename in {".", ".."}:
        return f"{filename!r} is no file name"
    if any(character in filename for character in "/\\\0"):
        return f"the file name {filename[:80]!r} contains a slash, a backslash or NUL; a put makes no folders"
    size = len(filename.encode(errors="surrogatepass"))
    if size > _MAX_NAME_BYTES:
        return f"the file name has {size} bytes; the limit is {_MAX_NAME_BYTES}"
    return None
