"""Proxies, a site, and a fleet whose workers know them: what the tests of whole crawls stand on."""

from __future__ import annotations

import contextlib
import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import quarry.lode
from quarry.config.worker import load_worker_settings
from quarry.recency import RedisRecency
from quarry.redisio import make_client
from tests.fleet.fleet import Fleet
from tests.proxies.failing import FailingProxy
from tests.proxies.marks import read_marks
from tests.proxies.servers import Microsocks, ProxyProcess, Tinyproxy
from tests.proxies.site import HOSTS, Site

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from quarry.types.proxy import ProxyPool
    from quarry.types.rotation import PoolFigures
    from tests.e2e.harness import Finished

SCRIPTS = Path(__file__).parent / "scripts"
FETCH = str(SCRIPTS / "fetch.py")
KINDS = (Tinyproxy, Microsocks, FailingProxy)
WINDOW = 5
POOLS = {
    "turns": {"strategy": "round_robin"},
    "window": {"strategy": "random", "recency_window": WINDOW},
    "by-domain": {"strategy": "sticky", "sticky": {"scope": "domain"}},
    "by-job": {"strategy": "sticky", "sticky": {"scope": "job"}},
    "short": {"strategy": "sticky", "sticky": {"scope": "domain", "ttl": "300ms"}},
    "rotating": {"strategy": "round_robin", "health": {"failures": 1000}},
    "banning": {"strategy": "round_robin", "health": {"ban": "1h"}},
    "other": {"strategy": "round_robin"},
}
"""Pools of the fleet that the tests of strategies, rotations and scripts share."""

ENTRIES = {
    "images": {"path": str(SCRIPTS / "images.py"), "proxy": "other"},
    "api": {"path": str(SCRIPTS / "api.py"), "proxy": "none"},
}
"""Its scripts; others have no word of the configuration."""


class Rig:
    """Proxies of three kinds, a site, and a fleet.

    Args:
        folder: For all files.
        proxies: Running ones, in the order of the pools' lists.
        site: Where all requests go.
        pools: Settings by name; each has all the endpoints, unless it names its own.
        more: Further keys of the configuration.
    """

    def __init__(
        self,
        folder: Path,
        proxies: Sequence[ProxyProcess],
        site: Site,
        pools: Mapping[str, Mapping[str, Any]],
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.proxies = tuple(proxies)
        self.site = site
        self.fleet = Fleet(folder)
        self.fleet.env["QUARRY_LEASE"] = "60s"
        self._pools, self._more = pools, dict(more or {})
        self.config = self.configure("quarry.yaml")

    def configure(
        self, name: str, order: Sequence[ProxyProcess] | None = None, *, pools: bool = True
    ) -> Path:
        """Write a configuration, with the endpoints in another order perhaps, or without pools; give its path."""
        urls = self.folder / f"{name}.txt"
        urls.write_text("".join(f"{proxy.url}\n" for proxy in order or self.proxies))
        given = {pool: {"endpoints_file": str(urls), **about} for pool, about in self._pools.items()}
        config = self.folder / name
        config.write_text(json.dumps({**self._more, **({"proxies": given} if pools else {})}))  # YAML too
        return config

    def start(self, *workers: str, slots: int = 6) -> None:
        """Start Redis and workers that have the configuration, and wait until they serve."""
        # A file that is written anew has no order of choices any more, only what came of them.
        self.fleet.start_redis("--auto-aof-rewrite-percentage", "0")
        for name in workers:
            self.start_worker(name, slots=slots)
        self.fleet.wait_ready()

    def start_worker(self, name: str, *, slots: int = 6, config: Path | None = None) -> None:
        """Start one worker, as people do; with another configuration perhaps."""
        env = {"QUARRY_CONFIG": str(config or self.config), "WORKER": name}
        self.fleet.start_worker(name, slots=slots, app="workers.http", env=env)

    def seeds(self, jobs: Sequence[Mapping[str, Any]]) -> str:
        """Write jobs into a file of seeds."""
        file = self.folder / f"{uuid.uuid4().hex}.ndjson"
        file.write_text("".join(json.dumps(job) + "\n" for job in jobs))
        return str(file)

    def crawl_arguments(
        self, crawl: str, jobs: Sequence[Mapping[str, Any]], pool: str, parallel: int
    ) -> list[str]:
        """Give the command of a crawl of these jobs."""
        return [
            *("run", "--script", FETCH, "--seeds", self.seeds(jobs), "--run-id", crawl, "--depth", "2"),
            *("--parallel", str(parallel), "--proxy-pool", pool, "--config", str(self.config)),
        ]

    def crawl(
        self,
        crawl: str,
        jobs: Sequence[Mapping[str, Any]],
        *arguments: str,
        pool: str,
        parallel: int = 24,
        timeout_s: float = 150,
    ) -> Finished:
        """Carry a crawl of these jobs to its end."""
        command = self.crawl_arguments(crawl, jobs, pool, parallel)
        return self.fleet.quarry(*command, *arguments, timeout_s=timeout_s)

    def carried(self) -> list[int]:
        """How many requests each proxy has carried, by its own log."""
        return [len(proxy.carried()) for proxy in self.proxies]

    def at(self, source: str) -> int:
        """Position of the proxy whose connections come from an address; nobody's fails the test."""
        return [proxy.source for proxy in self.proxies].index(source)

    def workers_of_runs(self, crawl: str) -> dict[str, str]:
        """Name of the worker that executed each run, by the run's URL."""
        rows = quarry.lode.open(self.fleet.storage).scan(event_type="item", crawl=crawl).to_pylist()
        items = [json.loads(row["data"]) for row in rows]
        return {item["url"]: item["worker"] for item in items}

    def endpoints_of_runs(self, crawl: str) -> dict[str, int]:
        """Position of the endpoint that each commit record names, by the run's URL."""
        positions = {proxy.identity: at for at, proxy in enumerate(self.proxies)}
        found = {}
        for record in quarry.lode.open(self.fleet.storage).runs(crawl=crawl):
            used = record.proxy
            user = f"{used['username']}@" if "username" in used else ""
            found[record.job["url"]] = positions[f"{used['protocol']}://{user}{used['host']}:{used['port']}"]
        return found

    def jobs(
        self, crawl: str, count: int, *, hosts: Sequence[str] = HOSTS[:1], **params: Any
    ) -> list[dict[str, Any]]:
        """Jobs of a crawl, each with a URL of its own: ``/CRAWL/NUMBER`` on the hosts in turn."""
        return [
            {"url": f"{self.site.url(hosts[n % len(hosts)])}/{crawl}/{n}", **params} for n in range(count)
        ]

    def pool(self, name: str) -> ProxyPool:
        """A pool as the workers have it."""
        return load_worker_settings({"QUARRY_CONFIG": str(self.config)}, str(self.folder)).proxies[name]

    def marks(self, name: str) -> list[int]:
        """Choices of a pool, in the order of Redis."""
        return read_marks(self.fleet.folder / "redis", name, self.pool(name).digest)

    async def figures(self, name: str) -> PoolFigures:
        """What Redis knows of a pool."""
        client = make_client(self.fleet.url)
        try:
            return await RedisRecency(client).figures(self.pool(name))
        finally:
            await client.aclose()


@contextlib.contextmanager
def running_proxies(
    folder: Path, count: int, *, kinds: Sequence[type[ProxyProcess]] = KINDS
) -> Iterator[list[ProxyProcess]]:
    """Proxies with credentials, of these kinds in turn, each with an address of its own to come from."""
    made = [kinds[at % len(kinds)](folder / f"proxy-{at}", source=f"127.0.1.{at + 1}") for at in range(count)]
    with contextlib.ExitStack() as running:
        for proxy in made:
            running.enter_context(proxy)
        yield made


@contextlib.contextmanager
def running_rig(
    folder: Path,
    pools: Mapping[str, Mapping[str, Any]],
    *,
    proxies: int,
    workers: int,
    slots: int = 6,
    kinds: Sequence[type[ProxyProcess]] = KINDS,
    more: Mapping[str, Any] | None = None,
) -> Iterator[Rig]:
    """A rig that is ready; all of it ends with the block."""
    with Site() as site, running_proxies(folder, proxies, kinds=kinds) as made:
        rig = Rig(folder, made, site, pools, more)
        try:
            rig.start(*(f"w{number}" for number in range(workers)), slots=slots)
            yield rig
        finally:
            rig.fleet.end()
