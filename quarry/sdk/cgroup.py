"""Memory limit and use of the process's control group, version 2 or 1."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_NO_LIMIT_FROM = 1 << 60
"""Version 1 writes a number near 2^63 where there is no limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CgroupMemory:
    """The control group that binds first.

    Attributes:
        version: 2 or 1.
        limit_bytes: Its limit.
        usage_bytes: What it uses, page cache included.
        reclaimable_bytes: Page cache of it that the kernel can take back at once.
    """

    version: int
    limit_bytes: int
    usage_bytes: int
    reclaimable_bytes: int


def read_cgroup(proc: str, root: str) -> CgroupMemory | None:
    """Find the group with the least room left among the process's group and those above it.

    Args:
        proc: Where procfs is mounted.
        root: Where control groups are mounted.

    Returns:
        None where there are no control groups, or none has a limit.
    """
    try:
        lines = Path(proc, "self", "cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    found: list[CgroupMemory] = []
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            found += _levels(Path(root), path, version=2)
        elif "memory" in controllers.split(","):
            found += _levels(Path(root, "memory"), path, version=1)
    return min(found, key=lambda group: group.limit_bytes - group.usage_bytes, default=None)


def _levels(root: Path, path: str, *, version: int) -> list[CgroupMemory]:
    """Read the groups from the path up to the root; in a container only the root may be visible."""
    groups: list[CgroupMemory] = []
    parts = [part for part in path.split("/") if part]
    for depth in range(len(parts), -1, -1):
        group = _read(root.joinpath(*parts[:depth]), version)
        if group is not None:
            groups.append(group)
    return groups


def _read(folder: Path, version: int) -> CgroupMemory | None:
    names = ("memory.max", "memory.current") if version == 2 else (  # noqa: PLR2004 - cgroup's own number
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
    )  # fmt: skip
    limit, usage = (_number(folder / name) for name in names)
    if limit is None or usage is None or not 0 < limit < _NO_LIMIT_FROM:
        return None
    key = "inactive_file" if version == 2 else "total_inactive_file"  # noqa: PLR2004
    cache = _stat(folder / "memory.stat", key)
    return CgroupMemory(
        version=version, limit_bytes=limit, usage_bytes=usage, reclaimable_bytes=min(cache, usage)
    )


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # ValueError: "max"
        return None


def _stat(path: Path, key: str) -> int:
    try:
        for line in path.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == key:
                return int(value)
    except (OSError, ValueError):
        pass
    return 0
