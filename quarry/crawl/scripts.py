"""The hash of a script, as its commit record names it."""

from __future__ import annotations

import hashlib
import os


class ScriptHashes:
    """SHA-256 of scripts, read again only when a file's size or time changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, int], str]] = {}

    def sha256(self, path: str) -> str | None:
        """Give the hash in hex, or None where there is no such readable file."""
        try:
            info = os.stat(path)
            stamp = (info.st_mtime_ns, info.st_size)
            known = self._known.get(path)
            if known and known[0] == stamp:
                return known[1]
            with open(path, "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
        except OSError:
            return None
        self._known[path] = (stamp, digest)
        return digest
