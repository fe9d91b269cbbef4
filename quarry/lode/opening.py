"""Open a dataset for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarry.errors import StoreError
from quarry.lode.dataset import place_of
from quarry.lode.disk import Disk
from quarry.lode.reader import Reader
from quarry.lode.retry import Retrier

if TYPE_CHECKING:
    from pathlib import Path


def open_dataset(path: Path | str, dataset: str = "quarry") -> Reader:
    """Open a dataset for reading.

    Args:
        path: The storage path: the folder that ``datasets`` lies in.
        dataset: Id of the dataset.

    Raises:
        StoreError: kind ``not_found``: it isn't there; the message names those that are.
    """
    root = place_of(path, dataset)
    if root.is_dir():
        return Reader(Disk(root, Retrier()))
    try:
        others = sorted(entry.name for entry in root.parent.iterdir() if entry.is_dir())
    except OSError:
        others = []
    there = f"there are {', '.join(others)}" if others else "there is none; check the storage path"
    raise StoreError(f"no dataset {dataset!r} under {path}: {there}", kind="not_found")
