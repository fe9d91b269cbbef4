"""The short private folder of a server's socket, and clearing those that dead commands left behind."""

from __future__ import annotations

import os
import re
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from quarry.errors import EngineError

SOCKET_NAME = "redis.sock"

_MAX_SOCKET_PATH_BYTES = 107
_NAME = re.compile(r"quarry-(\d+)-[a-z0-9_]+")


def make_socket_folder() -> Path:
    """Make a folder (mode 0700) whose socket path a unix socket can have.

    The name holds this process's id, so that a later command can tell whose it was. Where the folder for
    temporary files has too long a path, ``/tmp`` serves.

    Raises:
        EngineError: No such folder can be made.
    """
    problems: list[str] = []
    for base in dict.fromkeys((tempfile.gettempdir(), "/tmp")):  # noqa: S108 -- mkdtemp makes it private
        try:
            folder = Path(tempfile.mkdtemp(prefix=f"quarry-{os.getpid()}-", dir=base))
        except OSError as error:
            problems.append(str(error))
            continue
        if len(os.fsencode(folder / SOCKET_NAME)) <= _MAX_SOCKET_PATH_BYTES:
            return folder
        folder.rmdir()
        problems.append(f"{base}: a socket path there exceeds {_MAX_SOCKET_PATH_BYTES} bytes")
    raise EngineError(f"no folder for the private server's socket: {'; '.join(problems)}; set TMPDIR")


def remove_socket_folder(folder: Path) -> None:
    """Remove a folder that `make_socket_folder` made; one that holds something else stays."""
    with suppress(OSError):
        (folder / SOCKET_NAME).unlink(missing_ok=True)
        folder.rmdir()


def clear_dead_folders() -> list[Path]:
    """Remove the socket folders of commands that were killed.

    Only ours (by name and owner), only where the process in the name is gone, and where nobody answers on the
    socket: another container may share the folder and number its processes otherwise.

    Returns:
        What was removed.
    """
    removed: list[Path] = []
    for base in dict.fromkeys((tempfile.gettempdir(), "/tmp")):  # noqa: S108 -- as above
        try:
            names = os.listdir(base)
        except OSError:
            continue
        for name in names:
            match = _NAME.fullmatch(name)
            folder = Path(base) / name
            if match is None or _alive(int(match[1])) or not _is_ours(folder) or _answers(folder):
                continue
            remove_socket_folder(folder)
            if not folder.exists():
                removed.append(folder)
    return removed


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _is_ours(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _answers(folder: Path) -> bool:
    if len(os.fsencode(folder / SOCKET_NAME)) > _MAX_SOCKET_PATH_BYTES:
        return False  # no server could have been given such a path
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(0.2)
        try:
            client.connect(str(folder / SOCKET_NAME))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True
        return True
