"""Say what a failed system call means: its kind, whether trying again can help, and how to mend it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

from quarry.errors import StoreError

if TYPE_CHECKING:
    import os


class _Class(NamedTuple):
    kind: str
    retryable: bool
    mend: str


_NO_SPACE = _Class("no_space", False, "no space is left there; free some, or give another --storage-path")
_QUOTA = _Class("no_space", False, "the disk quota is used up; free some, or give another --storage-path")
_TOO_LARGE = _Class("no_space", False, "the file would exceed the size limit set there (ulimit -f)")
_DENIED = _Class("denied", False, "permission denied; give this user write access, or another --storage-path")
_READ_ONLY = _Class("denied", False, "the file system is read-only; give another --storage-path")
_NOT_FOLDER = _Class(
    "denied",
    False,
    "a file stands where a folder is needed; remove it, or give another --storage-path",
)
_NOT_FOUND = _Class("not_found", False, "it is not there; was the dataset moved or removed meanwhile?")
_LINKS = _Class(
    "other", False, "this file system has no hard links, and commits need them; give another --storage-path"
)
_FILES = _Class("throttled", True, "too many open files; raise the limit (ulimit -n) or lower --parallel")
_BUSY = _Class("throttled", True, "the file system is busy; try again")
_TIMEOUT = _Class("timeout", True, "the file system did not answer in time; is its server up?")
_NAME = _Class("other", False, "the path is too long for this file system; use shorter names")
_EIO = _Class("other", False, "the disk reports an input/output error; look into the kernel's log")

_CLASSES: dict[int, _Class] = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _QUOTA,
    errno.EFBIG: _TOO_LARGE,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: _READ_ONLY,
    errno.ENOTDIR: _NOT_FOLDER,
    errno.EEXIST: _NOT_FOLDER,
    errno.EISDIR: _NOT_FOLDER,
    errno.ENOENT: _NOT_FOUND,
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.EAGAIN: _BUSY,
    errno.EBUSY: _BUSY,
    errno.EINTR: _BUSY,
    errno.ENOMEM: _BUSY,
    errno.ENOLCK: _BUSY,
    errno.ETIMEDOUT: _TIMEOUT,
    errno.ESTALE: _TIMEOUT,
    errno.EHOSTDOWN: _TIMEOUT,
    errno.EHOSTUNREACH: _TIMEOUT,
    errno.ENETDOWN: _TIMEOUT,
    errno.ENETUNREACH: _TIMEOUT,
    errno.ECONNRESET: _TIMEOUT,
    errno.ENAMETOOLONG: _NAME,
    errno.EIO: _EIO,
    errno.EOPNOTSUPP: _LINKS,
    errno.EMLINK: _LINKS,
    errno.EXDEV: _LINKS,
}


def store_error(error: OSError, *, action: str, path: str | os.PathLike[str]) -> StoreError:
    """Map an OSError.

    Args:
        error: What the system call raised.
        action: What was attempted, as a verb phrase: ``write``, ``make the folder`` …
        path: What it was attempted on; the error's own file name is used where it has one.

    Returns:
        A StoreError with kind, retryable, and a sentence that names the path and the mend.
    """
    number = error.errno or 0
    known = _CLASSES.get(number)
    if known is None:
        name = errno.errorcode.get(number, "unknown error")
        known = _Class("other", False, f"{error.strerror or error} ({name})")
    return StoreError(
        f"can't {action} {path}: {known.mend}",
        kind=known.kind,
        retryable=known.retryable,
        context={"errno": errno.errorcode.get(number, number), "path": str(path), "action": action},
    )
