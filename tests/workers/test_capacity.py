"""How many runs a worker takes on where nobody said."""

from __future__ import annotations

import pytest

from quarry.tasks.capacity import MIB, Figures, Profile, decide_concurrency
from quarry.tasks.machine import read_figures
from tests.workers.kit import celery

GIB = 1024 * MIB


@pytest.mark.clause("FLEET-02")
@pytest.mark.parametrize(
    ("cores", "memory_gib", "http", "browser", "both"),
    [
        (2, 24, 128, 4, 16),  # cores bind
        (2, 2, 62, 2, 2),  # memory binds
        (0.5, 1, 23, 1, 1),
        (1, 0.25, 1, 1, 1),  # never none
        (64, 512, 512, 32, 64),  # one worker has a most
    ],
)
def test_the_default_follows_cores_and_memory(cores, memory_gib, http, browser, both):
    """The smallest of runs by cores, runs by memory and the most; browsers far fewer; at least one."""
    figures = Figures(cores=cores, memory_bytes=int(memory_gib * GIB))
    assert decide_concurrency(figures, Profile.HTTP) == http
    assert decide_concurrency(figures, Profile.BROWSER) == browser
    assert decide_concurrency(figures, Profile.ALL) == both


@pytest.fixture
def machine(tmp_path):
    """Function that lays out a fake /proc and /sys/fs/cgroup and reads the figures there."""

    def read(lines, files, cores=8):
        proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
        (proc / "self").mkdir(parents=True)
        (proc / "meminfo").write_text("MemTotal:       8388608 kB\nMemFree: 1 kB\n")
        (proc / "self" / "cgroup").write_text(lines)
        for name, text in files.items():
            path = cgroups / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return read_figures(proc=str(proc), cgroups=str(cgroups), cores=cores)

    return read


@pytest.mark.clause("FLEET-02")
def test_control_groups_version_2(machine):
    """The tightest quota and limit among the group and those above it."""
    figures = machine(
        "0::/a/b\n",
        {
            "a/cpu.max": "150000 100000\n", "a/b/cpu.max": "max 100000\n",
            "a/b/memory.max": str(GIB), "a/b/memory.current": "0", "a/b/memory.stat": "",
        },
    )  # fmt: skip
    assert figures == Figures(cores=1.5, memory_bytes=GIB)


@pytest.mark.clause("FLEET-02")
def test_control_groups_version_1(machine):
    """Likewise, with the older names; in a container the group's own path is not there, its root is."""
    figures = machine(
        "4:memory:/docker/x\n2:cpu,cpuacct:/docker/x\n",
        {
            "cpu,cpuacct/cpu.cfs_quota_us": "50000", "cpu,cpuacct/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": str(2 * GIB), "memory/memory.usage_in_bytes": "0", "memory/memory.stat": "",
        },
    )  # fmt: skip
    assert figures == Figures(cores=0.5, memory_bytes=2 * GIB)


@pytest.mark.parametrize(
    ("lines", "files"),
    [
        ("0::/\n", {}),
        ("0::/\n", {"cpu.max": "max 100000"}),
        ("0::/\n", {"cpu.max": "garbage"}),
        ("2:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}),
        ("nonsense\n", {}),
    ],
)
def test_without_limits_it_is_the_machine(machine, lines, files):
    """No quota, no limit, or nothing readable: all cores and all memory."""
    assert machine(lines, files) == Figures(cores=8.0, memory_bytes=8 * GIB)


def test_this_machine_can_be_read():
    """Real figures are sane."""
    figures = read_figures()
    assert figures.cores > 0
    assert figures.memory_bytes > 64 * MIB


@pytest.mark.clause("FLEET-02")
def test_a_worker_started_without_a_number_takes_the_default(tmp_path, broker, start_worker):
    """What the formula says of this machine is what the worker says of itself."""
    worker = start_worker(tmp_path, broker.url, module="workers.browser").wait_ready()
    pool = celery(broker.url, worker, "inspect", "stats")["pool"]
    assert pool["max-concurrency"] == decide_concurrency(read_figures(), Profile.BROWSER)
