"""Everything that a folder holds, Parquet decoded, by what kind of file it is."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

_KINDS = (
    ("/tmp/", "temporary files"),
    ("/logs/", "command and engine logs"),
    ("/redis/", "append-only file"),
    ("/attempts/", "records of attempts"),
    ("/runs/", "commit records"),
    ("index.parquet", "indexes"),
    ("summary", "summaries"),
    ("/live/", "live segments"),
    ("/files/", "files of scripts"),
)


def read_folder(folder: Path) -> dict[str, bytes]:
    """Give the content of all files, in one text for each kind; the names of files are a kind too."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        found["names of files"].append(str(path.relative_to(folder)).encode())
        if not path.is_file():
            continue
        kind = _kind(f"/{path.relative_to(folder)}")
        found[kind].append(path.read_bytes())
        if path.suffix == ".parquet":
            found[f"{kind}, decoded"] += read_parquet(path)
    return {kind: b"\n".join(parts) for kind, parts in found.items()}


def read_parquet(path: Path) -> list[bytes]:
    """Give all values of all columns, and the file's metadata."""
    table = pq.read_table(path, partitioning=None)
    told = [repr(pq.read_metadata(path).metadata).encode(), str(table.schema).encode()]
    for column in table.columns:
        told += [part for value in column.to_pylist() for part in _texts(value)]
    return told


def _kind(path: str) -> str:
    for part, kind in _KINDS:
        if part in path:
            return kind
    if path.endswith(".parquet"):
        event = next((p for p in path.split("/") if p.startswith("event_type=")), "")
        return f"Parquet {event}".strip()
    return f"{path.rsplit('.', 1)[-1]} files"


def _texts(value: Any) -> list[bytes]:
    if value is None:
        return []
    if isinstance(value, bytes):
        return [value]
    if isinstance(value, str):
        return [value.encode()]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in _texts(part)]
    if isinstance(value, (list, tuple)):
        return [text for part in value for text in _texts(part)]
    return [str(value).encode()]
