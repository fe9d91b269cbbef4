"""Runs the real command line, and finds and ends the real processes below it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis

import quarry.lode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def wait_for(condition: Callable[[], Any], *, timeout_s: float = 60, what: str = "a condition") -> Any:
    """Poll until the condition gives something true, and give that."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.002)
    raise AssertionError(f"waited {timeout_s} s for {what}")


def children(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in path.read_text().split()]
    return found


def tree(pid: int) -> list[int]:
    """All descendants of a process, parents first."""
    found = children(pid)
    for child in found:
        found += children(child)
    return found


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def environ(pid: int) -> dict[str, str]:
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    return dict(part.split("=", 1) for part in raw.decode(errors="replace").split("\0") if "=" in part)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def marked(mark: str) -> list[int]:
    """Processes that carry the mark in their environment, wherever they have been re-parented."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            pid = int(path.name)
            if environ(pid).get("CRAWL_TEST_MARK") == mark and alive(pid):
                found.append(pid)
    return found


@dataclass
class Finished:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def result(self) -> dict[str, Any]:
        return json.loads(self.stdout)  # type: ignore[no-any-return]


class Crawl:
    """One `quarry run` in a process of its own, with its own storage and state."""

    def __init__(self, folder: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.storage = folder / "data"
        self.state = folder / "state"
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        base = {k: v for k, v in os.environ.items() if not k.startswith("QUARRY_")}
        self.env = {
            **base,
            "XDG_STATE_HOME": str(self.state),
            "CRAWL_TEST_MARK": self.mark,
            **(env or {}),
        }
        argv = [sys.executable, "-m", "quarry.cli", "run", *arguments]
        self.argv = [*argv, "--storage-path", str(self.storage), "--format", "json"]
        self.out = folder / "stdout"
        self.err = folder / "stderr"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                self.argv, env=self.env, stdout=out, stderr=err, stdin=subprocess.DEVNULL
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait(self, timeout_s: float = 170) -> Finished:
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.end()
            raise AssertionError(f"not done after {timeout_s} s:\n{self.err.read_text()[-3000:]}") from None
        return Finished(code, self.out.read_text(), self.err.read_text())

    def end(self) -> None:
        """End every process of this command by its pid."""
        for pid in [self.pid, *tree(self.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def worker(self) -> int | None:
        """Pid of the embedded worker, once it runs."""
        return next((p for p in children(self.pid) if "quarry.tasks" in command_line(p)), None)

    def server(self) -> int | None:
        """Pid of the private Redis, once it runs."""
        return next(
            (
                p
                for p in children(self.pid)
                if "unixsocket" in command_line(p)
                or "redis" in command_line(p).split(" ")[0]
                or "valkey" in command_line(p).split(" ")[0]
            ),
            None,
        )

    def executors(self) -> list[int]:
        worker = self.worker()
        return [p for p in tree(worker) if "quarry.executor" in command_line(p)] if worker else []

    def redis(self) -> redis.Redis | None:
        """A connection to the private Redis, once the worker names it."""
        worker = self.worker()
        url = environ(worker).get("QUARRY_BROKER") if worker else None
        if not url:
            return None
        path = url.split("://", 1)[1].split("?")[0]
        return redis.Redis(unix_socket_path="/" + path.lstrip("/"), socket_timeout=5)

    def left(self) -> list[str]:
        """Processes that this command left behind, as command lines."""
        return [f"{pid} {command_line(pid)}" for pid in marked(self.mark) if pid != self.pid]


@contextlib.contextmanager
def running(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Iterator[Crawl]:
    """Start the command; whatever happens, nothing of it is left behind."""
    folder.mkdir(parents=True, exist_ok=True)
    crawl = Crawl(folder, *arguments, env=env)
    try:
        yield crawl
    finally:
        if crawl.process.poll() is None:
            crawl.end()
        for pid in marked(crawl.mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def assert_balanced(fanout: dict[str, int]) -> None:
    """Both equations of the ledger, from a command's result."""
    f = fanout
    assert f["received"] == f["admitted"] + f["duplicate"] + f["beyond_depth"] + f["over_cap"], f
    states = ("pending", "leased", "committing", "succeeded", "failed", "not_executed")
    assert f["admitted"] == sum(f[name] for name in states), f
    assert f["pending"] == f["leased"] == f["committing"] == 0, f


def assert_exact(storage: Path, crawl: str, *, items: Counter[str], field: str) -> None:
    """Every expected item is visible once: the field's values are exactly these."""
    reader = quarry.lode.open(storage)
    rows = reader.scan(event_type="item", crawl=crawl).to_pylist()
    seen = Counter(str(json.loads(row["data"])[field]) for row in rows)
    assert seen == items, {
        "missing": list((items - seen).items())[:5],
        "too many": list((seen - items).items())[:5],
    }
    assert reader.verify() == []
