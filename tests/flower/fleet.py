"""A small fleet of real processes on loopback: Redis with a password, workers, a shop, and crawls of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import redis

from quarry.crawl.children import make_job
from quarry.crawl.plan import CrawlPlan, JobPayload, PlanPool, encode
from quarry.crawl.seeding import seed_crawl
from quarry.redisio import make_client
from quarry.scheduler import Bounds, CrawlRegistry, Ledger
from tests.e2e.harness import tree
from tests.local_site import Answer, LocalSite
from tests.services import require_service
from tests.workers.kit import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from quarry.types import Counts
    from quarry.types.proxy import ProxyPool

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
SECRET = "hunter2-broker"
"""Password of the broker; it must be seen nowhere."""


def wait_for(condition: Callable[[], Any], what: str, *, timeout_s: float = 90) -> Any:
    """Poll until the condition gives something true, and give that."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s for {what}"
        time.sleep(0.05)


def run_apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine in a thread of its own: Playwright's loop may have this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


def shop_pages(products: int, *special: str) -> dict[str, Answer]:
    """A list page and its products, some of them special (``broken``, ``flaky``)."""
    names = [f"products/{n}.html" for n in range(1, products + 1)]
    names += [f"products/{name}.html" for name in special]
    links = "".join(f'<a href="/{name}">a product</a>' for name in names)
    pages = {f"/{name}": Answer(b"<h1>a product</h1>" * 20) for name in names}
    return {**pages, "/": Answer(links.encode()), "/?token=query-secret": Answer(links.encode())}


class Fleet:
    """Processes of one test, all ended with it.

    Args:
        folder: For logs, state and data.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.storage = folder / "data"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.site = LocalSite(answers=shop_pages(6, "broken", "flaky"))
        self.redis_port = free_port()
        self.url = f"redis://:{SECRET}@127.0.0.1:{self.redis_port}/0"

    def __enter__(self) -> Self:
        try:
            self.start_redis()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process by its id, those below it too."""
        for process in self.processes:
            for pid in [process.pid, *tree(process.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
        self.site.close()

    def spawn(self, name: str, *argv: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a process from the repository's root; what it says is in ``NAME.log``."""
        made = {**os.environ, "QUARRY_BROKER": self.url, "XDG_STATE_HOME": str(self.folder / "state")}
        with self.log_path(name).open("wb") as log:
            process = subprocess.Popen(
                argv,
                cwd=ROOT,
                env={**made, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def celery(self, name: str, *argv: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start ``celery -A …``."""
        return self.spawn(name, sys.executable, "-m", "celery", *argv, env=env)

    def worker(
        self, name: str, *, concurrency: int = 4, env: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start an ordinary Celery worker."""
        options = ["--hostname", f"{name}@shop", "--concurrency", str(concurrency)]
        options += ["--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        return self.celery(name, "-A", "quarry.tasks", "worker", *options, env=env)

    def log_path(self, name: str) -> Path:
        """Where the named process writes."""
        return self.folder / f"{name}.log"

    def log(self, name: str) -> str:
        """What the named process has said."""
        return self.log_path(name).read_text(errors="replace")

    def start_redis(self) -> subprocess.Popen[bytes]:
        """Start Redis with a password, and wait until it answers."""
        options = ["--port", str(self.redis_port), "--bind", "127.0.0.1", "--requirepass", SECRET]
        options += ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        server = self.spawn("redis", require_service("redis-server"), *options)
        wait_for(self._answers, "Redis", timeout_s=20)
        return server

    def client(self) -> redis.Redis:
        """A blocking client, for looking from outside."""
        return redis.Redis.from_url(self.url, socket_timeout=5)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def seed(
        self,
        crawl: str,
        *params: dict[str, Any],
        script: str = "list.py",
        pool: ProxyPool | None = None,
        **bounds: Any,
    ) -> None:
        """Seed a crawl as a command would, through a pool of the workers' own; the workers do the rest."""
        plan = CrawlPlan(
            crawl=crawl,
            day="2026-01-02",
            started_at=time.time(),
            storage_path=str(self.storage),
            dataset="quarry",
            policy="strict",
            timeout_ms=120_000,
            scripts_root=str(SCRIPTS),
            cwd=str(self.folder),
            seeded=True,
            lease_ms=bounds.get("lease_ms", 60_000),
            proxies={pool.name: PlanPool(digest=pool.digest)} if pool else {},
        )
        jobs = [
            make_job(
                JobPayload(
                    target=script,
                    path=str(SCRIPTS / script),
                    params=each,
                    source="shop",
                    category="c",
                    proxy=pool.name if pool else None,
                ),
                depth=0,
            )
            for each in params
        ]
        made = {
            "depth": 2,
            "max_runs": 100,
            "parallel": 4,
            "max_attempts": 1,
            "max_redeliveries": 3,
            **bounds,
        }

        async def work() -> None:
            client = make_client(self.url)
            try:
                await seed_crawl(
                    ledger=Ledger(client, crawl),
                    registry=CrawlRegistry(client),
                    crawl=crawl,
                    seeder="test",
                    bounds=Bounds(config=encode(plan), **made),
                    batches=[(0, len(jobs), jobs, True)],
                )
            finally:
                await client.aclose()

        run_apart(work)

    def status(self, crawl: str) -> tuple[str, Counts]:
        """What the ledger says of a crawl."""

        async def read() -> tuple[str, Counts]:
            client = make_client(self.url)
            try:
                ledger = Ledger(client, crawl)
                return (await ledger.state()).status, await ledger.counts()
            finally:
                await client.aclose()

        return run_apart(read)

    def wait_closed(self, crawl: str) -> Counts:
        """Wait until a crawl has ended, and give its counters."""
        wait_for(lambda: self.status(crawl)[0] == "closed", f"the end of crawl {crawl}")
        return self.status(crawl)[1]
