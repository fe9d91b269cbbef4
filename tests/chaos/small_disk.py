"""A file system of its own for a run's data, that can be filled to the last page: a real ENOSPC for all who write.

Mounting needs the right to; where it is missing the storage fault of `storage.py` stands in for it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PAGE = 4096
_BLOCK = 1024 * 1024
_BASE_BYTES = 64 * 1024 * 1024
_JOB_BYTES = 128 * 1024


class SmallDisk:
    """A tmpfs mounted on a run's data folder.

    Args:
        folder: Of the data; made here.
        jobs: For which it must be large enough.
    """

    def __init__(self, folder: Path, *, jobs: int) -> None:
        self.mounted = False
        self.refilled_bytes = 0
        self._folder = folder
        self._ballast = folder / ".ballast"
        self._bytes = _BASE_BYTES + jobs * _JOB_BYTES

    def mount(self) -> bool:
        """Mount it; false where that is not allowed here."""
        self._folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={self._bytes}", "tmpfs", str(self._folder)]
        with contextlib.suppress(FileNotFoundError):
            self.mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        return self.mounted

    def fill(self) -> None:
        """Take what is free, to the last page; call again for what others have freed meanwhile."""
        descriptor = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = _BLOCK
            while True:
                try:
                    self.refilled_bytes += os.write(descriptor, bytes(size))
                except OSError:
                    if size == _PAGE:
                        return
                    size = _PAGE
        finally:
            os.close(descriptor)

    def free(self) -> None:
        """Give the space back."""
        self._ballast.unlink(missing_ok=True)

    def unmount(self, *, keep: bool) -> None:
        """Take it away; what is on it is copied beside it before, where it is evidence."""
        if not self.mounted:
            return
        if keep:
            shutil.copytree(self._folder, f"{self._folder}-kept", dirs_exist_ok=True)
        subprocess.run(["umount", "-l", str(self._folder)], check=True)
        self.mounted = False
