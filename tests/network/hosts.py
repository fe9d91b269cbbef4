"""Two hosts on one machine: network namespaces, joined by a cable that can be pulled.

Host A has Redis. Each host has a folder of its own for its scripts; the storage is one folder that both see, unless
a process is given another one in its place. Processes of host B can have a wrong clock.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tests.e2e.harness import marked, wait_for
from tests.services import require_service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REDIS = "10.99.0.1"
"""Address of host A; B has the next one. Nobody sees either from outside of the two namespaces."""

_NAME = re.compile(r"^quarry-[ab]-(?P<pid>\d+)(?: |$)")


class Host:
    """One side of the cable.

    Args:
        name: ``a`` or ``b``.
        folder: For its scripts and logs.
        scripts: What its folder of scripts begins with.
        env: What its processes have beside the session's environment.
    """

    def __init__(self, name: str, folder: Path, scripts: Path, env: dict[str, str]) -> None:
        self.name = name
        self.namespace = f"quarry-{name}-{os.getpid()}"
        self.folder = folder
        self.scripts = Path(shutil.copytree(scripts, folder / f"scripts-of-{name}"))
        self.env = {**env, "NET_HOST": name}
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self, log: str, argv: Sequence[str], *, storage: tuple[Path, Path] | None = None, **more: str
    ) -> subprocess.Popen[bytes]:
        """Start a process on this host.

        Args:
            log: Name of the file that gets both of its streams.
            argv: The command.
            storage: A folder, and the path at which this process alone sees it.
            more: Further environment.
        """
        inside = ["ip", "netns", "exec", self.namespace]
        if storage is not None:
            # `ip netns exec` gives each process mounts of its own, so nobody else sees this one.
            inside += ["sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh", *map(str, storage)]
        with (self.folder / log).open("wb") as out:
            process = subprocess.Popen(
                [*inside, *argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.folder,
                env={**self.env, **more},
            )
        self._started.append(process)
        return process

    def run(self, *argv: str) -> None:
        """Run a command on this host to its end."""
        ip("netns", "exec", self.namespace, *argv)

    def end(self) -> None:
        """End what was started here, by pid."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()


class Worker:
    """A `celery worker` on a host.

    Args:
        host: Where.
        name: Of the worker.
        slots: Runs at once.
        storage: As of `Host.start`.
        more: Further environment.
    """

    def __init__(self, host: Host, name: str, *, slots: int = 4, **more: Any) -> None:
        self.host = host
        self.name = name
        celery = str(Path(sys.executable).with_name("celery"))
        self.process = host.start(
            f"{name}.log",
            [celery, "-A", "quarry.tasks", "worker", "-n", f"{name}@{host.name}", "-c", str(slots), "-l", "INFO",
             "--without-gossip", "--without-mingle"],
            **{"QUARRY_SCRIPTS_ROOT": str(host.scripts), **more},
        )  # fmt: skip

    def wait_ready(self) -> Worker:
        """Wait until it takes messages."""
        wait_for(
            lambda: self.process.poll() is not None or f"{self.name}@{self.host.name} ready." in self.text(),
            timeout_s=90,
            what=f"worker {self.name}: {self.text()[-2000:]}",
        )
        assert self.process.poll() is None, self.text()[-3000:]
        return self

    def text(self) -> str:
        """Give its log."""
        return (self.host.folder / f"{self.name}.log").read_text(errors="replace")

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Give the lines of one event."""
        lines = [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]


class Hosts:
    """Both hosts, the cable, the shared storage, and Redis on A."""

    def __init__(self, folder: Path, scripts: Path) -> None:
        self.storage = folder / "data"
        self.notes = folder / "notes"
        for made in (self.storage, self.notes):
            made.mkdir()
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        self.url = f"redis://{REDIS}:6379/0"
        # Socket paths end at 107 bytes.
        self._short = Path(tempfile.mkdtemp(prefix="qn-"))
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("QUARRY_", "CELERY_"))}
        env = {
            **kept,
            "CRAWL_TEST_MARK": self.mark,
            "PYTHONWARNINGS": "ignore",
            "XDG_STATE_HOME": str(folder / "state"),
            "QUARRY_BROKER": self.url,
        }
        self.a = Host("a", folder, scripts, env)
        self.b = Host("b", folder, scripts, env)

    def lay(self) -> None:
        """Make the namespaces and the cable, and start Redis."""
        for host in (self.a, self.b):
            ip("netns", "add", host.namespace)
            ip("-n", host.namespace, "link", "set", "lo", "up")
        ip("-n", self.a.namespace, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns",
           self.b.namespace)  # fmt: skip
        for at, host in enumerate((self.a, self.b), start=1):
            ip("-n", host.namespace, "address", "add", f"10.99.0.{at}/30", "dev", "cable")
            ip("-n", host.namespace, "link", "set", "cable", "up")
        binary = require_service("redis-server")
        self.a.start(
            "redis.log",
            [binary, "--port", "6379", "--bind", REDIS, "--protected-mode", "no", "--dir", str(self._short),
             "--unixsocket", str(self._short / "s"), "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
             "--maxmemory-policy", "noeviction"],
        )  # fmt: skip
        wait_for(self._answers, timeout_s=30, what="Redis")

    def pull(self) -> None:
        """Take the cable off: nothing arrives, and nobody is told."""
        ip("-n", self.a.namespace, "link", "set", "cable", "down")

    def plug(self) -> None:
        """Put it back."""
        ip("-n", self.a.namespace, "link", "set", "cable", "up")

    @property
    def client(self) -> redis.Redis:
        """The test's own way to Redis, which needs no network."""
        return redis.Redis(unix_socket_path=str(self._short / "s"), socket_timeout=10)

    def counters(self, crawl: str) -> dict[str, int]:
        """The ledger's counters; empty where there is no such crawl."""
        with contextlib.closing(self.client) as client:
            return {k.decode(): int(v) for k, v in client.hgetall(f"q:{{{crawl}}}:n").items()}

    def begin(self, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        """Start `quarry run` on host A with its script ``walk.py``; its result goes into ``result.json``."""
        quarry = [sys.executable, "-m", "quarry.cli", "run", "--script", str(self.a.scripts / "walk.py")]
        quarry += ["--broker", self.url, "--storage-path", str(self.storage), "--format", "json", *arguments]
        return self.a.start("command.log", ["sh", "-c", 'exec "$@" > result.json', "sh", *quarry], **env)

    def result(self, run: subprocess.Popen[bytes], timeout_s: float = 150) -> dict[str, Any]:
        """Wait for the command's end and give what it printed; its exit code is ``exit_code``."""
        said = self.a.folder / "command.log"
        try:
            run.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not done after {timeout_s:g} s: {said.read_text()[-3000:]}") from None
        text = (self.a.folder / "result.json").read_text()
        assert text, said.read_text()[-3000:]
        result: dict[str, Any] = json.loads(text)
        assert result["exit_code"] == run.returncode
        return result

    def noted(self, pattern: str) -> list[list[str]]:
        """Notes that runs have left, split at their dashes."""
        return [path.name.split("-") for path in self.notes.glob(pattern)]

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError, OSError), contextlib.closing(self.client) as client:
            return bool(client.ping())
        return False

    def clear(self) -> None:
        """Leave nothing: no process, no namespace (the cable goes with them), no folder."""
        for host in (self.a, self.b):
            host.end()
        deadline = time.monotonic() + 20
        while (left := marked(self.mark)) and time.monotonic() < deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        for host in (self.a, self.b):
            _delete_namespace(host.namespace)
        shutil.rmtree(self._short, ignore_errors=True)


def ip(*arguments: str) -> str:
    """Run iproute2's `ip`.

    Raises:
        subprocess.CalledProcessError: It failed; its text is in ``stderr``.
    """
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


def shifted_clock(seconds: int) -> dict[str, str]:
    """Give the environment of Python processes whose clock is ahead by so many seconds (see `skew/sitecustomize.py`)."""
    return {"PYTHONPATH": str(Path(__file__).parent / "skew"), "NET_CLOCK_AHEAD_S": str(seconds)}


def require_namespaces() -> None:
    """Fail in CI, and skip elsewhere, where network namespaces are not permitted; clear what dead tests left."""
    require_service("ip")
    try:
        for line in ip("netns", "list").splitlines():
            found = _NAME.match(line)
            if found and not Path(f"/proc/{found['pid']}").exists():
                _delete_namespace(line.split()[0])
        name = f"quarry-a-{os.getpid()}"
        ip("netns", "add", name)
        try:
            ip("-n", name, "link", "add", "cable", "type", "veth", "peer", "name", "other")
            ip("netns", "exec", name, "true")
        finally:
            _delete_namespace(name)
    except subprocess.CalledProcessError as error:
        reason = f"network namespaces are not permitted here (they need root): {error.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}; in CI these tests must run", pytrace=False)
        pytest.skip(reason)


def _delete_namespace(name: str) -> None:
    subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


@contextlib.contextmanager
def two_hosts(folder: Path, scripts: Path) -> Iterator[Hosts]:
    """Both hosts, with Redis up; whatever happens, nothing of them is left behind."""
    require_namespaces()
    hosts = Hosts(folder, scripts)
    try:
        hosts.lay()
        yield hosts
    finally:
        hosts.clear()
