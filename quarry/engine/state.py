"""The state folder of a crawl: its seeds, its server's file, its log."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from quarry.crawl.plan import encode
from quarry.crawl.roots import Roots, kept_seeder
from quarry.crawl.seeds import check_seeds, spool
from quarry.errors import ConfigError
from quarry.types import new_token

if TYPE_CHECKING:
    from quarry.config import Settings
    from quarry.crawl.plan import JobPayload


def crawl_folder(state_dir: str, crawl: str) -> Path:
    """Give the folder in which a command keeps what it needs to go on with a crawl."""
    return Path(state_dir) / "crawls" / crawl


def make_folder(folder: Path) -> None:
    """Make a state folder that only this user can read.

    Raises:
        ConfigError: It can't be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the state folder {folder} can't be made: {error.strerror}; set XDG_STATE_HOME or state_dir to a"
            " folder that can be written"
        ) from error


def remove_folder(folder: Path) -> None:
    """Remove the state folder of a crawl that nobody goes on with; what can't be removed stays."""
    shutil.rmtree(folder, ignore_errors=True)


def remove_folder_of(folder: Path, seeder: str) -> None:
    """Remove the state folder of a crawl that nobody goes on with, unless it keeps another crawl's seeds.

    Args:
        folder: Where it would be.
        seeder: Of the crawl, as its ledger says: a crawl of the same id may be on another broker.
    """
    if kept_seeder(folder) == seeder:
        remove_folder(folder)


def make_worker_log(state_dir: str, crawl: str) -> Path:
    """Give the path of the embedded worker's log, among the commands' logs: it outlives the crawl's folder.

    Raises:
        ConfigError: Its folder can't be made.
    """
    folder = Path(state_dir) / "logs"
    make_folder(folder)
    return folder / f"worker-{crawl}.ndjson"


def make_roots(settings: Settings, root: JobPayload, folder: Path) -> Roots:
    """Say where the roots of a new crawl come from; standard input is kept in the folder first.

    Raises:
        ConfigError: The seeds are wrong, or can't be kept; nothing is left then.
    """
    seeder = new_token()
    return Roots.of(seeder=seeder, root=root, seeds=_spooled(settings.seeds, folder, seeder))


def keep_payloads(folder: Path, payloads: list[JobPayload]) -> Roots:
    """Keep the roots of a crawl that retries jobs, one a line, so that its seeding can go on after a crash.

    Raises:
        ConfigError: They can't be kept.
    """
    make_folder(folder)
    seeder = new_token()
    path = folder / f"payloads-{seeder}.ndjson"
    try:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(encode(payload) + "\n" for payload in payloads)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        _drop_spool(folder, str(path))
        raise ConfigError(f"{path} can't be written: {error.strerror}") from error
    return Roots.of(seeder=seeder, payloads=str(path))


def drop_unsaved(folder: Path, roots: Roots) -> None:
    """Remove what was kept for roots of a crawl that was not begun; nothing of any other crawl."""
    if kept_seeder(folder) == roots.seeder:
        return
    path = roots.seeds or roots.payloads
    if path is not None and roots.seeder in os.path.basename(path) and os.path.dirname(path) == str(folder):
        _drop_spool(folder, path)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _spooled(given: str | None, folder: Path, seeder: str) -> str | None:
    if given is None or (given != "-" and os.path.isfile(given)):
        return given  # it was checked with the other settings
    # Standard input, a pipe or a device can be read only once.
    make_folder(folder)
    # A name of its own: two commands that are given one id never write to one file.
    path = str(folder / f"seeds-{seeder}.spool")
    try:
        with contextlib.ExitStack() as stack:
            source = sys.stdin.buffer if given == "-" else stack.enter_context(open(given, "rb"))
            spool(source, path)
        check_seeds(path, name="standard input" if given == "-" else given)
    except OSError as error:
        _drop_spool(folder, path)
        raise ConfigError(f"the seeds can't be kept in {path}: {error.strerror}") from error
    except (ConfigError, KeyboardInterrupt):
        _drop_spool(folder, path)
        raise
    return path


def _drop_spool(folder: Path, path: str) -> None:
    """Remove the spooled seeds, and the folder where nothing else is in it: another crawl's state may be."""
    with contextlib.suppress(OSError):
        os.unlink(path)
    with contextlib.suppress(OSError):
        folder.rmdir()
