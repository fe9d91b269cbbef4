"""Real Redis servers and real `celery -A … worker` processes, and crawls for them."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis

from quarry.crawl.children import make_job
from quarry.crawl.plan import CrawlPlan, JobPayload, encode
from quarry.crawl.seeding import seed_crawl
from quarry.redisio import make_client
from quarry.scheduler import Bounds, CrawlRegistry, Ledger
from tests.e2e.harness import tree
from tests.services import require_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "scripts"


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 120) -> Any:
    """Poll until the condition gives something true, and give that."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s for {what}"
        time.sleep(0.02)
    return value


_LOW, _HIGH = 11_000, 31_000
_PORTS = itertools.count(os.getpid() * 101)


def free_port() -> int:
    """A free port of loopback, each time another one.

    Below those that the kernel gives to outgoing connections: none of them takes it before its server is there,
    or while it is started again. A cluster's bus finds its own port, 10,000 above.
    """
    while True:
        port = _LOW + next(_PORTS) % (_HIGH - _LOW)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            return port


def clean_env(**more: str) -> dict[str, str]:
    """This process's environment without settings of Quarry's or Celery's, and with `more`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("QUARRY_", "CELERY_", "FLOWER_"))}
    if "QUARRY_NO_SANDBOX" in os.environ:
        kept["QUARRY_NO_SANDBOX"] = os.environ["QUARRY_NO_SANDBOX"]
    return {**kept, "PYTHONWARNINGS": "ignore", **more}


def end(process: subprocess.Popen[Any]) -> None:
    """End a process and everything below it, by pid."""
    for pid in [process.pid, *tree(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


@contextlib.contextmanager
def redis_server(folder: Path, *settings: str, port: int | None = None) -> Iterator[int]:
    """A redis-server on a free TCP port of loopback; gives the port."""
    binary = require_service("redis-server")
    chosen = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    plain = () if "--tls-port" in settings else ("--port", str(chosen))
    with (folder / "redis.log").open("ab") as log:
        process = subprocess.Popen(
            [binary, *plain, "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), *settings],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        at = int(settings[settings.index("--tls-port") + 1]) if "--tls-port" in settings else chosen
        wait_for(lambda: process.poll() is not None or _listens(at), "redis-server")
        assert process.poll() is None, (folder / "redis.log").read_text()
        yield at
    finally:
        end(process)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Broker:
    """An empty, durable Redis of one test."""

    def __init__(self, port: int) -> None:
        self.url = f"redis://127.0.0.1:{port}/0"
        self.client = redis.Redis.from_url(self.url)

    def close(self) -> None:
        self.client.close()


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    with redis_server(folder / "redis", "--appendonly", "yes") as port:
        made = Broker(port)
        try:
            yield made
        finally:
            made.close()


class Worker:
    """A `celery -A MODULE worker` in a process of its own."""

    def __init__(
        self, folder: Path, url: str, *arguments: str, module: str = "workers.http", **env: str
    ) -> None:
        self.name = f"w{uuid.uuid4().hex[:8]}@test"
        self.log_path = folder / f"{self.name}.log"
        celery = str(Path(sys.executable).parent / "celery")
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [celery, "-A", module, "worker", "-n", self.name, "-l", "INFO",
                 "--without-gossip", "--without-mingle", *arguments],
                cwd=ROOT, stdout=subprocess.DEVNULL, stderr=log, stdin=subprocess.DEVNULL,
                env=clean_env(QUARRY_BROKER=url, **env), start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_ready(self, times: int = 1) -> Worker:
        wait_for(
            lambda: self.process.poll() is not None or self.text().count(f"{self.name} ready.") >= times,
            f"{self.name} to be ready: {self.text()[-2000:]}",
        )
        assert self.process.poll() is None, self.text()
        return self

    def text(self) -> str:
        return self.log_path.read_text()

    def logged(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def term(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        end(self.process)


@contextlib.contextmanager
def workers() -> Iterator[Callable[..., Worker]]:
    """Function that starts workers; they end with the block."""
    started: list[Worker] = []

    def start(*args: Any, **kwargs: Any) -> Worker:
        started.append(Worker(*args, **kwargs))
        return started[-1]

    try:
        yield start
    finally:
        for worker in started:
            worker.end()


def tell(url: str, *arguments: str, module: str = "workers.http") -> subprocess.CompletedProcess[str]:
    """Run a `celery` command to its end."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "celery"), "-A", module, *arguments],
        cwd=ROOT, env=clean_env(QUARRY_BROKER=url), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def celery(url: str, worker: Worker, group: str, command: str, *arguments: str) -> Any:
    """Give one worker's answer to `celery inspect` or `celery control`."""
    # With a destination it ends as soon as that has answered, so the time limit costs nothing.
    done = tell(url, group, "-d", worker.name, "-t", "30", "--json", command, *arguments)
    assert done.returncode == 0, (done.stdout, done.stderr[-2000:], worker.text()[-2000:])
    answer = json.loads(next(line for line in done.stdout.splitlines() if line.startswith(("{", "["))))
    (part,) = (
        [answer] if isinstance(answer, dict) else answer
    )  # `inspect` gives a map, `control` a list of maps
    return part[worker.name]


class Crawl:
    """A crawl whose jobs run `hold.py` (see there), seeded from here."""

    def __init__(self, folder: Path, url: str, name: str = "c1") -> None:
        self.folder = folder
        self.url = url
        self.name = name
        self.gate = folder / "gate"
        self.notes = folder / "notes"
        self.storage = folder / "data"
        self.notes.mkdir(exist_ok=True)
        self.storage.mkdir(exist_ok=True)

    async def seed(
        self,
        jobs: int,
        *,
        lease_ms: int = 60_000,
        parallel: int = 64,
        queue: str | None = None,
        **params: Any,
    ) -> None:
        client = make_client(self.url)
        script = SCRIPTS / "hold.py"
        plan = CrawlPlan(
            crawl=self.name, day="2026-01-02", started_at=time.time(), storage_path=str(self.storage),
            dataset="quarry", policy="strict", timeout_ms=60_000, scripts_root=str(SCRIPTS), cwd=str(self.folder),
        )  # fmt: skip
        roots = [
            make_job(
                JobPayload(
                    target=script.name, path=str(script), source="s", category="c",
                    params={"n": n, "gate": str(self.gate), "notes": str(self.notes), **params},
                ),
                depth=0, queue=queue,
            )
            for n in range(jobs)
        ]  # fmt: skip
        bounds = Bounds(
            depth=0, max_runs=jobs, parallel=parallel, max_attempts=1, max_redeliveries=5, lease_ms=lease_ms,
            config=encode(plan),
        )  # fmt: skip
        try:
            await seed_crawl(
                ledger=Ledger(client, self.name), registry=CrawlRegistry(client), crawl=self.name, seeder="t",
                bounds=bounds, batches=[(0, jobs, roots, True)],
            )  # fmt: skip
        finally:
            await client.aclose()

    async def counts(self) -> Any:
        client = make_client(self.url)
        try:
            return await Ledger(client, self.name).counts()
        finally:
            await client.aclose()

    def open(self) -> None:
        self.gate.touch()

    def noted(self, kind: str) -> list[str]:
        """Notes of one kind, one a run that said so: `started-N-PID`."""
        return sorted(path.name for path in self.notes.glob(f"{kind}-*"))


def openssl(folder: Path) -> tuple[str, str]:
    """A self-signed certificate and its key."""
    require_service("openssl")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [shutil.which("openssl") or "", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return str(certificate), str(key)
