"""One server and one zygote for all tests of a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarry.scheduler import ledger_scripts
from tests.protocol.processes import Zygote
from tests.scheduler.servers import running_server


def load_steps(server):
    """Let a server know all steps."""
    scripts = ledger_scripts()
    with server.client() as client:
        for name in scripts.names():
            client.script_load(scripts.get(name).source)


@pytest.fixture(scope="session")
def aof_server():
    """A server that keeps its append-only file, and knows all steps: none is sent twice for that."""
    with running_server("redis", aof=True) as server:
        load_steps(server)
        yield server


@pytest.fixture(scope="session")
def zygote(tmp_path_factory):
    """Forks the worker processes."""
    running = Zygote(tmp_path_factory.mktemp("zygote") / "log", Path(__file__).parent / "scripts")
    yield running
    running.close()


@pytest.fixture
def folder(tmp_path):
    """A folder in which a sync costs nothing, where there is one."""
    import os
    import tempfile

    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="qr-") as found:
        yield Path(found)
