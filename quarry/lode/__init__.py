"""Lode: the dataset. Partitioned Parquet files, one create-only commit record a job, and who reads them.

``quarry.lode.open(path)`` gives a reader; ``Dataset.create(path)`` is what writes.
"""

from quarry.lode.dataset import Dataset
from quarry.lode.filters import CrawlInfo
from quarry.lode.layout import build_files_prefix
from quarry.lode.opening import open_dataset as open  # noqa: A004 - quarry.lode.open reads as what it does
from quarry.lode.orphans import Orphan
from quarry.lode.problems import Problem
from quarry.lode.reader import Reader
from quarry.lode.records import CommitRecord, FileEntry, Sealed, SidecarEntry
from quarry.lode.writer import RunWriter

__all__ = [
    "CommitRecord",
    "CrawlInfo",
    "Dataset",
    "FileEntry",
    "Orphan",
    "Problem",
    "Reader",
    "RunWriter",
    "Sealed",
    "SidecarEntry",
    "build_files_prefix",
    "open",
]
