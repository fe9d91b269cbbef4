"""A crawl of which one proxy is killed on the way, with requests in flight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.e2e.harness import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from quarry.types.rotation import EndpointFigures
    from tests.proxies.rig import Rig
    from tests.proxies.servers import ProxyProcess


@dataclass(frozen=True, kw_only=True)
class Killed:
    """What became of it.

    Attributes:
        in_flight: Requests through the proxy that the site had not answered when it was killed.
        failed: Runs that failed.
        groups: Failures by error type.
    """

    in_flight: int
    failed: int
    groups: Mapping[str, int]


def begin(rig: Rig, crawl: str, runs: int, *, pool: str, parallel: int, **params: Any) -> Any:
    """Start a crawl that may have failures."""
    jobs = rig.jobs(crawl, runs, **params)
    command = rig.crawl_arguments(crawl, jobs, pool, parallel)
    return rig.fleet.begin(*command, "--max-failures", "100%")


def wait_requests(rig: Rig, crawl: str, count: int) -> None:
    """Wait until the site has seen so many requests of a crawl."""
    wait_for(lambda: len(rig.site.of(f"/{crawl}/")) >= count, timeout_s=600, what=f"{count} requests")


def kill(rig: Rig, victim: ProxyProcess) -> int:
    """Kill a proxy at a moment at which it carries something; give how much."""
    assert victim.source is not None
    in_flight = wait_for(lambda: rig.site.in_flight(victim.source), what="a request in flight")
    victim.stop()
    return int(in_flight)


def finish(watcher: Any, in_flight: int, *, while_waiting: Callable[[], object] = lambda: None) -> Killed:
    """Wait for the end of the crawl, calling something again and again, and sum up."""

    def ended() -> bool:
        while_waiting()
        return watcher.process.poll() is not None

    wait_for(ended, timeout_s=600, what="the end of the crawl")
    done = watcher.wait()
    assert done.code == 0, done.stderr
    groups: dict[str, int] = {}
    for group in done.result["failures"]:
        name = group["error_type"] or group["outcome"]
        groups[name] = groups.get(name, 0) + group["count"]
    return Killed(in_flight=in_flight, failed=done.result["fanout"]["failed"], groups=groups)


async def figures_of(rig: Rig, pool: str, victim: ProxyProcess) -> EndpointFigures:
    """What Redis knows of it."""
    return (await rig.figures(pool)).endpoints[rig.proxies.index(victim)]
