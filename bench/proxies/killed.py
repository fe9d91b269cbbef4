"""How many runs fail when one proxy of twelve is killed in mid-crawl, with health on and off.

    python bench/proxies/killed.py [--runs 2400] [--parallel 24] [--write docs/proxy-health.md]

Real proxies (tinyproxy, microsocks, one of our own), four workers, a real Redis. Of each kind one is killed
(-9) after a quarter of the requests, with some of them in flight, and started again after three quarters.
Counts are those of the crawl's result, of Redis and of the proxies' own logs. Exit code 1: target missed.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.e2e.harness import wait_for
from tests.proxies import killing
from tests.proxies.rig import KINDS, running_rig

if TYPE_CHECKING:
    from tests.proxies.killing import Killed
    from tests.proxies.rig import Rig
    from tests.proxies.servers import ProxyProcess

HEALTH = {"failures": 3, "window": "60s", "rest": "2s", "max_rest": "10s", "trial": "10s"}
PROXIES, WORKERS, WAIT_S = 12, 4, 0.05
_BACK_S = 120.0
TARGET = 5
"""Times fewer failures with health on."""

AFTER = 240
"""Runs of the crawl that begins once the proxy is used again."""

_KINDS = ("tinyproxy (http)", "microsocks (socks5)", "our own (http)")

_HEAD = (
    "killed proxy, retries",
    "runs",
    "failed, health off",
    "failed, health on",
    "ratio",
    "chosen before, while, after: off",
    "the same: on",
    "was down (on)",
    "used again after",
)

_PAGE = """\
# What health saves

Made by `python bench/proxies/killed.py --runs {runs} --write docs/proxy-health.md`: a round-robin pool of
{proxies} real proxies of three kinds with credentials, {workers} workers, `--parallel {parallel}`, answers
that take {wait_ms} ms. In each crawl one proxy is killed (-9) after a quarter of the requests, with some of
them in flight, and started again when three quarters of the runs have ended. *Retries* are those of
`ctx.http`, which go through the run's one endpoint; a script that names none has 2.

Health: `{{{health}}}`. The target: with health on at most a fifth of the failures.

{table}

With health on, these fail: what was in flight through the proxy, what had chosen it before it had failed
{failures} times, and one run a trial. With retries each of these runs learns of its failure a second or two
later, and more choose the dead proxy meanwhile. *Used again after* is from the restart to the first request
in the proxy's own log: its rest, which grows with each trial that fails, has to end first. *After* are its
choices in a further crawl of {after} runs: its share is a twelfth.
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One crawl.

    Attributes:
        chosen: Choices of the killed proxy before and while it was down, and in the crawl after, by Redis.
        down_s: How long it was down.
        back_s: From its restart to the first request that it carried, by its own log.
    """

    runs: int
    killed: Killed
    chosen: tuple[int, int, int]
    down_s: float
    back_s: float


def crawl(
    rig: Rig, name: str, victim: ProxyProcess, given: argparse.Namespace, *, pool: str, retries: int
) -> Row:
    """Carry out one crawl; the proxy runs again when it ends."""

    def chosen() -> int:
        return asyncio.run(killing.figures_of(rig, pool, victim)).chosen

    runs = given.runs
    watcher = killing.begin(rig, name, runs, pool=pool, parallel=given.parallel, wait=WAIT_S, retries=retries)
    killing.wait_requests(rig, name, runs // 4)
    in_flight, killed_at = killing.kill(rig, victim), time.monotonic()
    until_killed = chosen()
    # The site sees no request that goes to the dead proxy: the ledger counts all runs.
    wait_for(lambda: _ended(rig, name) >= runs * 3 // 4, timeout_s=600, what="three quarters of the runs")
    until_restart, carried = chosen(), len(victim.carried())
    restarted_at = time.monotonic()
    victim.start()
    used = _Used(victim, carried)
    killed = killing.finish(watcher, in_flight, while_waiting=used.look)
    for number in itertools.count():
        if used.look():
            break
        if time.monotonic() - restarted_at > _BACK_S:
            raise RuntimeError(f"{victim.identity} runs again, and nobody uses it")
        rig.crawl(
            f"{name}-probe-{number}", rig.jobs(f"{name}-probe-{number}", PROXIES), pool=pool, parallel=2
        )
    until_back = chosen()
    rig.crawl(f"{name}-after", rig.jobs(f"{name}-after", AFTER), pool=pool, parallel=given.parallel)
    phases = (until_killed, until_restart - until_killed, chosen() - until_back)
    return Row(
        runs=runs,
        killed=killed,
        chosen=phases,
        down_s=restarted_at - killed_at,
        back_s=used.at - restarted_at,
    )


class _Used:
    """When a proxy's own log first grew beyond a length."""

    def __init__(self, proxy: ProxyProcess, carried: int) -> None:
        self._proxy, self._carried = proxy, carried
        self.at = 0.0

    def look(self) -> bool:
        if not self.at and len(self._proxy.carried()) > self._carried:
            self.at = time.monotonic()
        return bool(self.at)


def _ended(rig: Rig, name: str) -> int:
    counters = rig.fleet.counters(name)
    return counters.get("succeeded", 0) + counters.get("failed", 0)


def line_of(kind: str, retries: int, off: Row, on: Row) -> str:
    """Both crawls as one line of the table."""
    ratio = on.killed.failed / off.killed.failed if off.killed.failed else float("nan")
    cells = [
        f"{kind}, {retries}",
        f"{off.runs:,}",
        f"{off.killed.failed} ({off.killed.failed / off.runs:.1%})",
        f"{on.killed.failed} ({on.killed.failed / on.runs:.1%})",
        f"{ratio:.2f}",
        *(", ".join(map(str, row.chosen)) for row in (off, on)),
        f"{on.down_s:.0f} s",
        f"{on.back_s:.1f} s",
    ]
    return f"| {' | '.join(cells)} |"


def measure(given: argparse.Namespace, folder: Path) -> tuple[list[str], bool]:
    """Carry out all crawls; give the table's lines, and whether the target was met."""
    lines = [f"| {' | '.join(_HEAD)} |", "|---" * len(_HEAD) + "|"]
    met = True
    pools = {f"{health}-{number}": {} for health in ("off", "on") for number in range(2 * len(KINDS))}
    pools = {name: {"health": "off" if name.startswith("off") else HEALTH} for name in pools}
    with running_rig(
        folder, pools, proxies=PROXIES, workers=WORKERS, slots=-(-given.parallel // WORKERS)
    ) as rig:
        cases = [(kind, retries) for kind in range(len(KINDS)) for retries in (0, 2)]
        for number, (kind, retries) in enumerate(cases):
            rows = {}
            for health in ("off", "on"):
                pool = f"{health}-{number}"
                rows[health] = crawl(rig, pool, rig.proxies[kind], given, pool=pool, retries=retries)
                # Raises where the numbers of Redis's own file have a gap.
                print(health, rows[health], f"{len(rig.marks(pool))} choices in order", flush=True)
            lines.append(line_of(_KINDS[kind], retries, rows["off"], rows["on"]))
            print(lines[-1], flush=True)
            met &= rows["on"].killed.failed * TARGET <= rows["off"].killed.failed
    return lines, met


def page(lines: list[str], given: argparse.Namespace) -> str:
    """The whole document."""
    return _PAGE.format(
        runs=given.runs,
        parallel=given.parallel,
        proxies=PROXIES,
        workers=WORKERS,
        wait_ms=f"{WAIT_S * 1000:.0f}",
        health=", ".join(f"{name}: {value}" for name, value in HEALTH.items()),
        failures=HEALTH["failures"],
        after=AFTER,
        table="\n".join(lines),
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=2400)
    parser.add_argument("--parallel", type=int, default=24)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quarry-proxies-") as folder:
        lines, met = measure(given, Path(folder))
    text = page(lines, given)
    print(text)
    if given.write:
        given.write.write_text(text, encoding="utf-8")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
