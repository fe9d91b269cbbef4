"""Durable file operations below one folder: whole files, synced, and their folders synced too.

POSIX promises a new name only once the folder that holds it was synced, and a new folder only once its
parent was; whoever finds a folder that somebody else made can't know whether that happened, so each process
syncs each chain once itself and then remembers it.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from quarry.errors import StoreError
from quarry.lode.faults import store_error
from quarry.lode.retry import Retrier

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_CLOEXEC", 0)
_REMEMBERED_FOLDERS = 4096


class Disk:
    """One dataset's folder on a local or mounted file system.

    Safe to use from several threads.

    Args:
        root: Absolute path of the dataset.
        retrier: How often a failed call is tried again.
    """

    def __init__(self, root: Path, retrier: Retrier | None = None) -> None:
        self.root = root
        self._retrier = retrier or Retrier()
        self._kept: set[str] = set()
        self._lock = threading.Lock()

    def path(self, rel: str) -> str:
        """Give the absolute path of one below the root."""
        return f"{self.root}/{rel}" if rel else str(self.root)

    def prepare_root(self) -> None:
        """Make the root and whatever is missing above it, each durable in its parent.

        Raises:
            StoreError: It can't be made or written to.
        """

        def make() -> None:
            missing = []
            folder = self.root
            while not folder.is_dir():
                missing.append(folder)
                folder = folder.parent
            for folder in reversed(missing):
                _mkdir(str(folder))
                sync_folder(str(folder.parent))
            # Somebody else may have made them a moment ago and not have synced them yet.
            for folder in (self.root.parent, self.root.parent.parent):
                sync_folder(str(folder))
            if not os.access(self.root, os.W_OK | os.X_OK):
                # access() finds a read-only mount too, but doesn't say which it was: the attempt does.
                probe = f"{self.root}/.probe-{os.getpid()}"
                os.close(os.open(probe, _NEW, 0o600))
                remove_file(probe)

        self._retrier.call(make, action="make the dataset's folder", path=self.root)

    def keep_folder(self, rel: str) -> None:
        """Make a folder that many runs share, durable up to the root; later calls cost nothing.

        Raises:
            StoreError: It can't be made.
        """
        with self._lock:
            if rel in self._kept:
                return
        parts = rel.split("/")
        for end in range(1, len(parts) + 1):
            folder = "/".join(parts[:end])
            with self._lock:
                if folder in self._kept:
                    continue
            self.make_folder(folder)
            self.sync_folder("/".join(parts[: end - 1]))
            with self._lock:
                if len(self._kept) >= _REMEMBERED_FOLDERS:
                    self._kept.clear()
                self._kept.add(folder)

    def forget_folders(self) -> None:
        """Forget what ``keep_folder`` remembers: somebody removed a folder meanwhile."""
        with self._lock:
            self._kept.clear()

    def make_folder(self, rel: str) -> None:
        """Make a folder and what is missing above it; not yet durable.

        Raises:
            StoreError: It can't be made.
        """
        path = self.path(rel)
        self._retrier.call(lambda: _make_chain(path), action="make the folder", path=path)

    def sync_folder(self, rel: str) -> None:
        """Make the names in a folder durable.

        Raises:
            StoreError: The sync failed; the names may or may not be durable.
        """
        path = self.path(rel)
        self._retrier.call(lambda: sync_folder(path), action="sync the folder", path=path)

    def write_whole(self, rel: str, data: bytes, *, temp: str) -> None:
        """Put a whole file, replacing one of that name; the caller syncs the folder.

        Args:
            rel: Its path.
            data: Its bytes, synced before the name appears.
            temp: Path to write under first, in the same folder.

        Raises:
            StoreError: The file is not there, or the old one still is.
        """

        def put() -> None:
            try:
                self._write_new(temp, data)
                os.rename(self.path(temp), self.path(rel))
            except BaseException:
                remove_file(self.path(temp))
                raise

        self._retrier.call(put, action="write", path=self.path(rel))

    def create_only(self, rel: str, data: bytes, *, temp: str) -> bool:
        """Put a whole file unless one of that name stands; durable with its name when this returns.

        The folder is synced in either case: who adopts what stands relies on it as its writer does.

        Args:
            rel: Its path; its folder must be kept already.
            data: Its bytes.
            temp: Path to write under first, in the same folder; must be new.

        Returns:
            True where this call created it, False where one stood there.

        Raises:
            StoreError: Nothing was put; or its fate is unknown (``context["fate"] == "unknown"``): the caller
                asks again before it concludes anything.
        """
        target, source = self.path(rel), self.path(temp)
        folder = rel.rpartition("/")[0]

        def put() -> bool:
            if os.path.lexists(target):
                return False
            try:
                self._write_new(temp, data)
                return _link(source, target)
            finally:
                remove_file(source)

        created = self._retrier.call(put, action="put", path=target)
        try:
            self.sync_folder(folder)
        except StoreError as fault:
            fault.context["fate"] = "unknown"
            raise
        return created

    def read(self, rel: str) -> bytes | None:
        """Read a whole file; None where there is none.

        Raises:
            StoreError: It is there and can't be read.
        """
        path = self.path(rel)

        def read() -> bytes | None:
            try:
                with open(path, "rb") as file:
                    return file.read()
            except FileNotFoundError:
                return None

        return self._retrier.call(read, action="read", path=path)

    def _write_new(self, rel: str, data: bytes) -> None:
        fd = os.open(self.path(rel), _NEW, 0o666)
        try:
            write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)


def write_all(fd: int, data: bytes, offset: int | None = None) -> None:
    """Write all bytes, at an offset or at the file's position.

    Raises:
        OSError: Some of them were not written.
    """
    view = memoryview(data)
    while view:
        written = os.write(fd, view) if offset is None else os.pwrite(fd, view, offset)
        view = view[written:]
        offset = None if offset is None else offset + written


def sync_data(fd: int) -> None:
    """Make a file's bytes durable (its size too, not its times)."""
    getattr(os, "fdatasync", os.fsync)(fd)


def sync_folder(path: str) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove_file(path: str) -> None:
    """Remove a file if it is there; what can't be removed stays, for ``orphans()`` to name."""
    with suppress(OSError):
        os.unlink(path)


def remove_tree(path: str) -> None:
    """Remove a folder and what is in it, as far as that goes."""
    for folder, _, names in os.walk(path, topdown=False):
        for name in names:
            remove_file(f"{folder}/{name}")
        remove_empty([folder])


def remove_empty(paths: Iterable[str]) -> None:
    """Remove folders that are empty; others stay."""
    for path in paths:
        with suppress(OSError):
            os.rmdir(path)


def _mkdir(path: str) -> None:
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def _make_chain(path: str) -> None:
    """Make a folder and what is missing above it; a rival who removes an empty one meanwhile is outrun."""
    for _ in range(20):
        try:
            _mkdir(path)
        except FileNotFoundError:
            _make_chain(os.path.dirname(path))
        else:
            return
    _mkdir(path)


def _link(source: str, target: str) -> bool:
    """Give a file its name unless it is taken; where the answer is a fault, look before concluding."""
    try:
        os.link(source, target)
    except FileExistsError:
        return os.path.samefile(source, target)
    except OSError as error:
        # Network file systems may have done it and lost the answer.
        try:
            return os.path.samefile(source, target)
        except FileNotFoundError:
            raise error from None
        except OSError as unknown:
            fault = store_error(unknown, action="read back", path=target)
            fault.context["fate"] = "unknown"
            raise fault from error
    return True
