"""Whether a folder can hold a dataset: what a commit needs of a file system, tried once and removed."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class StorageFacts:
    """One look at a storage path.

    Attributes:
        path: It, as it was named.
        exists: Whether it is a folder.
        parent_writable: Where it is missing: whether it could be made.
        problem: What failed when it was tried; empty where all went well or it is missing.
    """

    path: str
    exists: bool
    parent_writable: bool = False
    problem: str = ""


def probe_storage(path: str) -> StorageFacts:
    """Try in a folder what a commit does: write, sync, link to a new name, and be refused a second time.

    Nothing is left behind, and a missing folder is not made.
    """
    if not os.path.isdir(path):
        above = Path(path).absolute()
        while not above.exists() and above != above.parent:
            above = above.parent
        makeable = above.is_dir() and os.access(above, os.W_OK | os.X_OK)
        return StorageFacts(path=path, exists=False, parent_writable=makeable)
    return StorageFacts(path=path, exists=True, problem=_problem(path))


def _problem(path: str) -> str:
    stem = os.path.join(path, f".probe-{os.getpid()}-{os.urandom(4).hex()}")
    draft, name = f"{stem}.draft", f"{stem}.name"
    try:
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, b"probe")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.link(draft, name)
        try:
            os.link(draft, name)
        except FileExistsError:
            return ""
    except OSError as error:
        # Only a call with two names has a second one: the link.
        step = "a file cannot be written" if error.filename2 is None else "hard links cannot be made"
        return f"{step}: {error.strerror}"
    else:
        return "a name that exists can be linked to again: records could be overwritten"
    finally:
        for left in (draft, name):
            with suppress(OSError):
                os.unlink(left)
