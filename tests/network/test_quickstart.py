"""The newcomer's path: the commands of `docs/fleet-quickstart.md`, exactly as they stand there."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.harness import marked, tree, wait_for
from tests.network.page import read_blocks
from tests.services import require_service
from tests.workers.kit import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "fleet-quickstart.md"
END = "__end_of_block__"


class Shell:
    """One shell, as a reader has it: what is exported in one block is there in the next."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._errors = folder / "shell.err"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                ["bash"],
                cwd=folder,
                env=env,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )

    def run(self, block: str) -> str:
        """Run a block to its end and give what it printed; it must not fail."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        # A failing line ends the block, as it would stop a reader.
        self.process.stdin.write(f"set -e\n{block}\nset +e\necho {END} $?\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline()) and not line.startswith(END):
            lines.append(line)
        said = "".join(lines)
        assert line == f"{END} 0\n", (block, said, self._errors.read_text())
        return said + self._errors.read_text()


@pytest.fixture
def shell(tmp_path) -> Iterator[Shell]:
    """A shell with free ports; whatever it started ends with the test."""
    require_service("redis-server")
    mark = f"{os.getpid()}-quickstart"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("QUARRY_", "CELERY_", "FLOWER_"))}
    env = {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONWARNINGS": "ignore",
        "CRAWL_TEST_MARK": mark,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "CLONE": str(ROOT),
        "QUARRY_FORMAT": "table",  # what a terminal gets
        "REDIS_PORT": str(free_port()),
        "FLOWER_PORT": str(free_port()),
    }
    made = Shell(tmp_path, env)
    try:
        yield made
    finally:
        for pid in [*tree(made.process.pid), *marked(mark)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        made.process.kill()
        made.process.communicate()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_commands_of_the_page_do_what_it_says(tmp_path, shell):
    """Redis, two workers, Flower, a crawl, a killed worker: the page's sums and rows are what comes out."""
    blocks = read_blocks(PAGE)
    assert sum("kill -9" in block for block, _ in blocks) == 1
    said = ""
    for block, promised in blocks:
        if "kill -9" in block:
            _wait_for_a_started_run(tmp_path, block)
        said = shell.run(block)
        for line in _lasting(promised):
            assert line in said, (line, said)
        if "flower flower" in block or "kill -9" in block:
            _wait_for_flower(shell, first_online="kill -9" not in block)
    wait_for(lambda: not _alive(tmp_path / "second.pid"), what="the second worker's warm end")


def _lasting(lines: list[str]) -> list[str]:
    """Give the lines that are the same whenever the page's commands are run: sums and counts of rows."""
    return [line for line in lines if re.match(r"\s*(admitted|rows:|\d+ apples)", line)]


def _wait_for_a_started_run(folder: Path, block: str) -> None:
    assert "first.pid" in block
    # Ten rows are quick; with one more than that it has finished trees, and others are under way.
    wait_for(
        lambda: (folder / "first.log").read_text().count('"run.finished"') > 10,
        what="trees of the first worker",
    )


def _wait_for_flower(shell: Shell, *, first_online: bool) -> None:
    port = shell.run('echo "$FLOWER_PORT"').split()[0]

    def seen() -> bool:
        with contextlib.suppress(OSError):
            return (
                _status(_workers(port), "first") is first_online and _status(_workers(port), "second") is True
            )
        return False

    wait_for(
        # Without a heartbeat's own frequency Flower waits for two minutes.
        seen,
        timeout_s=200,
        what=f"Flower to show the first worker {'online' if first_online else 'offline'}",
    )


def _workers(port: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/workers?json=1", timeout=10) as answer:
        told: dict[str, Any] = json.load(answer)
    return told["data"]  # type: ignore[no-any-return]


def _status(workers: list[dict[str, Any]], name: str) -> bool | None:
    return next((worker["status"] for worker in workers if worker["hostname"].startswith(f"{name}@")), None)


def _alive(pid_file: Path) -> bool:
    """Say whether a worker runs; it removes its file when it ends."""
    return pid_file.exists() and Path(f"/proc/{pid_file.read_text().strip()}").exists()
