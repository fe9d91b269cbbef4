"""Remove what one delivery wrote and nobody's record names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from quarry.lode import layout
from quarry.lode.disk import remove_empty, remove_file, remove_tree
from quarry.lode.encoding import encode_value
from quarry.lode.layout import LivePath

if TYPE_CHECKING:
    from quarry.lode.disk import Disk
    from quarry.lode.layout import RunFolder


def remove_delivery(disk: Disk, folder: RunFolder, token: str) -> None:
    """Remove the files of a delivery, temporary ones too, and the folders that this empties.

    Only paths that contain the token are touched. A rival may be making the folders that this removes while
    they are empty: writers make them again.

    Args:
        disk: The dataset.
        folder: The run's folder.
        token: TOKEN of the delivery.
    """
    run = disk.path(layout.build_run_folder(folder))
    prefix = f"part-{encode_value(token)}-"
    for entry in _entries(run):
        if not os.path.basename(entry).startswith("event_type="):
            continue
        for name in _entries(entry):
            if os.path.basename(name).removeprefix(".").startswith(prefix):
                remove_file(name)
        remove_empty([entry])
    remove_tree(disk.path(layout.build_files_folder(folder, token)))
    remove_empty([f"{run}/files", run])
    remove_live(disk, folder.run_id, token)


def remove_live(disk: Disk, run_id: str, token: str) -> None:
    """Remove what a delivery had made durable while it ran: its record is there, or never will be."""
    live = disk.path(layout.build_live(LivePath(run_id, token)))
    remove_tree(live)
    remove_empty([live.rpartition("/")[0]])


def _entries(folder: str) -> list[str]:
    try:
        return [f"{folder}/{name}" for name in os.listdir(folder)]
    except OSError:
        return []
