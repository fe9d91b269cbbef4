"""Memory figures, from this machine and from written-out proc and cgroup trees."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from quarry.sdk import Memory
from quarry.sdk.memory import pressure_level
from quarry.sdk.process_tree import descendants

MIB = 1024 * 1024


def write(root, files):
    """Write files by relative path."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def memory_of(tmp_path, *, cgroup="", groups=None, meminfo="", own=None):
    """A Memory over invented trees."""
    files = {"proc/self/cgroup": cgroup, "proc/meminfo": meminfo}
    if own is not None:
        files[f"proc/{os.getpid()}/statm"] = own
    write(tmp_path, files)
    write(tmp_path / "cgroup", groups or {})
    return Memory(proc=str(tmp_path / "proc"), cgroup_root=str(tmp_path / "cgroup"))


def test_this_process_is_measured():
    """On Linux the process's own memory and the machine's are there, and plausible."""
    snapshot = Memory().snapshot()
    assert MIB < snapshot.process < snapshot.machine_total
    assert 0 < snapshot.machine_available <= snapshot.machine_total
    assert 0 <= snapshot.used_share <= 1
    assert snapshot.pressure in {"low", "moderate", "high", "critical"}


def test_processes_below_are_summed_with_those_below_them():
    """A grandchild counts."""
    grandchild = "import sys,time; print('up', flush=True); sys.stdin.read()"
    child = f"import subprocess,sys; subprocess.run([sys.executable,'-c',{grandchild!r}])"
    before = Memory().snapshot().browser
    with subprocess.Popen(
        [sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        below = descendants("/proc", os.getpid())
        assert process.pid in below
        assert len(descendants("/proc", process.pid)) == 1
        assert Memory().snapshot().browser > before + 2 * MIB
        process.stdin.close()


def test_cgroup_v2_takes_the_group_with_the_least_room(tmp_path):
    """A parent's tighter limit binds; page cache that can be reclaimed is not pressure."""
    memory = memory_of(
        tmp_path,
        cgroup="0::/a/b\n",
        groups={
            "a/memory.max": f"{100 * MIB}\n",
            "a/memory.current": f"{95 * MIB}\n",
            "a/memory.stat": f"anon 1\ninactive_file {25 * MIB}\n",
            "a/b/memory.max": "max\n",
            "a/b/memory.current": f"{50 * MIB}\n",
        },
    )
    snapshot = memory.snapshot()
    assert snapshot.cgroup.version == 2
    assert (snapshot.cgroup.limit_bytes, snapshot.cgroup.usage_bytes) == (100 * MIB, 95 * MIB)
    assert snapshot.used_share == 0.7
    assert snapshot.pressure == "moderate"


def test_cgroup_v1_is_read_from_the_memory_controller(tmp_path):
    """Also where a container shows the host's path but mounts only its own group."""
    memory = memory_of(
        tmp_path,
        cgroup="5:cpu:/x\n4:memory,foo:/docker/abc\n",
        groups={
            "memory/memory.limit_in_bytes": f"{10 * MIB}\n",
            "memory/memory.usage_in_bytes": f"{9 * MIB}\n",
            "memory/memory.stat": "total_inactive_file 0\n",
        },
    )
    snapshot = memory.snapshot()
    assert (snapshot.cgroup.version, snapshot.cgroup.limit_bytes) == (1, 10 * MIB)
    assert snapshot.pressure == "critical"


def test_without_a_limit_the_machine_counts(tmp_path):
    """Version 1's huge number is no limit."""
    memory = memory_of(
        tmp_path,
        cgroup="4:memory:/\n",
        groups={
            "memory/memory.limit_in_bytes": "9223372036854771712\n",
            "memory/memory.usage_in_bytes": "1\n",
        },
        meminfo="MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 200 kB\n",
    )
    snapshot = memory.snapshot()
    assert snapshot.cgroup is None
    assert snapshot.used_share == 0.8
    assert snapshot.pressure == "high"


def test_unknown_is_none_and_not_an_error(tmp_path):
    """Where the system tells nothing, nothing is invented."""
    snapshot = Memory(proc=str(tmp_path), cgroup_root=str(tmp_path)).snapshot()
    assert snapshot.process is snapshot.browser is snapshot.cgroup is snapshot.machine_total is None
    assert snapshot.used_share is None
    assert snapshot.pressure == "low"


def test_descendants_without_the_children_files(tmp_path):
    """Kernels without them are read through each process's parent."""
    write(
        tmp_path,
        {
            "1/stat": "1 (a) S 0 0",
            "2/stat": "2 (b (c) d) S 1 0",
            "3/stat": "3 (e) S 2 0",
            "4/stat": "4 (f) S 0 0",
            "x/stat": "",
        },
    )
    assert descendants(str(tmp_path), 1) == [2, 3]


@pytest.mark.parametrize(
    ("share", "level"),
    [
        (None, "low"),
        (0.0, "low"),
        (0.599, "low"),
        (0.6, "moderate"),
        (0.75, "high"),
        (0.9, "critical"),
        (1.2, "critical"),
    ],
)
def test_levels_begin_at_their_thresholds(share, level):
    """0.60, 0.75 and 0.90 of the limit."""
    assert pressure_level(share) == level
