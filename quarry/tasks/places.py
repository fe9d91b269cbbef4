"""What is wrong with the folders that a worker needs. Pure: facts in, findings out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarry.redisio import Finding, Severity

if TYPE_CHECKING:
    from quarry.lode.probe import StorageFacts


def check_storage(facts: StorageFacts, *, required: bool) -> Finding:
    """Judge a storage path.

    Args:
        facts: One look at it.
        required: Whether it must be there: a worker that made the folder itself might write into the place
            where a shared file system should have been mounted.
    """
    if facts.problem:
        return _storage(
            Severity.BROKEN,
            f"storage path {facts.path}: {facts.problem}",
            "let this user write there, on a file system with room and hard links",
        )
    if facts.exists:
        return _storage(Severity.OK, f"{facts.path} can be written, and a record is created once")
    if required:
        return _storage(
            Severity.BROKEN,
            f"storage path {facts.path} is not there",
            "mount it, make the folder, or name another in QUARRY_STORAGE_PATH",
        )
    if facts.parent_writable:
        return _storage(Severity.OK, f"{facts.path} is not there yet; the first run makes it")
    return _storage(
        Severity.BROKEN,
        f"storage path {facts.path} is not there and cannot be made",
        "make the folder, or name another with --storage-path",
    )


def check_scripts_root(path: str, *, is_folder: bool) -> Finding:
    """Judge the folder that scripts are looked up in.

    Args:
        path: It.
        is_folder: Whether it is one.
    """
    if is_folder:
        return Finding(check="scripts root", severity=Severity.OK, what=f"{path} is there")
    return Finding(
        check="scripts root",
        severity=Severity.BROKEN,
        what=f"scripts root {path} is no folder on this machine",
        mend="bring the scripts here, or name their folder in QUARRY_SCRIPTS_ROOT",
    )


def _storage(severity: Severity, what: str, mend: str = "") -> Finding:
    return Finding(check="storage", severity=severity, what=what, mend=mend)
