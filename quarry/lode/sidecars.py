"""Files of ``storage.put``: checked, put whole, described beside them, durable when the put returns."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from quarry.errors import StoreConflictError, StoreError
from quarry.ipc.limits import MAX_FILE_BYTES
from quarry.lode import layout
from quarry.lode.disk import remove_file
from quarry.lode.layout import SidecarPath
from quarry.lode.records import SidecarEntry

if TYPE_CHECKING:
    from quarry.lode.disk import Disk
    from quarry.lode.layout import RunFolder

MAX_FILENAME_BYTES = 255


class Sidecars:
    """The files of one delivery, in put order.

    Args:
        disk: Where.
        folder: The run's folder.
        token: TOKEN of the delivery.
    """

    def __init__(self, disk: Disk, folder: RunFolder, *, token: str) -> None:
        self._disk = disk
        self._folder = folder
        self._token = token
        self._entries: dict[str, SidecarEntry] = {}
        self._ready = False

    @property
    def entries(self) -> list[SidecarEntry]:
        """What was put so far."""
        return list(self._entries.values())

    def put(self, filename: str, content_type: str, data: bytes) -> str:
        """Store a file.

        Returns:
            Its key: the path relative to the dataset's root.

        Raises:
            StoreConflictError: This run has a file of that name.
            StoreError: The name or the size is refused, or it could not be stored; the name stays free.
        """
        check_filename(filename)
        if len(data) > MAX_FILE_BYTES:
            raise StoreError(
                f"file {filename!r} has {len(data)} bytes and at most {MAX_FILE_BYTES} can be put;"
                " emit larger things as artifacts"
            )
        if filename in self._entries:
            raise StoreConflictError(f"this run has put a file {filename!r} already; choose another name")
        place = SidecarPath(self._folder, self._token, filename)
        entry = SidecarEntry(
            path=layout.build_sidecar(place),
            filename=filename,
            content_type=content_type,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        try:
            description = msgspec.json.encode(entry) + b"\n"
        except UnicodeEncodeError as error:
            raise StoreError(f"content type {content_type[:60]!a} is refused: it is not text") from error
        folder = layout.build_files_folder(self._folder, self._token)
        self._prepare(folder)
        # "%t" starts no name that encode_filename gives.
        temp = f"{folder}/%temp-{len(self._entries)}{layout.TEMP_SUFFIX}"
        described = layout.build_sidecar_meta(place)
        try:
            self._disk.write_whole(described, description, temp=temp)
            self._disk.write_whole(entry.path, data, temp=temp)
            self._disk.sync_folder(folder)
        except StoreError:
            remove_file(self._disk.path(entry.path))
            remove_file(self._disk.path(described))
            raise
        self._entries[filename] = entry
        return entry.path

    def _prepare(self, folder: str) -> None:
        if self._ready:
            return
        self._disk.make_folder(folder)
        files = folder.rpartition("/")[0]
        run = files.rpartition("/")[0]
        for parent in (files, run, run.rpartition("/")[0]):
            self._disk.sync_folder(parent)
        self._ready = True


def check_filename(filename: str) -> None:
    """Refuse a name that no file may have (IPC contract).

    Raises:
        StoreError: Says which rule it breaks.
    """
    shown = ascii(filename[:60])
    if filename in {"", ".", ".."}:
        raise StoreError(f"file name {shown} is refused: give the file a name")
    if any(char in filename for char in "/\\\0"):
        raise StoreError(f"file name {shown} is refused: it may hold no slash, backslash or NUL")
    try:
        size = len(filename.encode())
    except UnicodeEncodeError as error:
        raise StoreError(f"file name {shown} is refused: it is not Unicode text") from error
    if size > MAX_FILENAME_BYTES:
        raise StoreError(
            f"file name {shown}… is refused: it has {size} bytes, and a name ends at {MAX_FILENAME_BYTES}"
        )
