"""Figures from samples: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WATCHED_RUNS = 20_000
WATCHED_SHARE = 0.4

INNER = frozenset(
    {
        *("time", "hget", "hset", "hsetnx", "hmget", "hdel", "hincrby", "hgetall", "hexists", "hlen"),
        *("zadd", "zrem", "zpopmin", "zrange", "zrangebyscore", "zcard", "zscore"),
        *("lindex", "lpush", "llen", "setbit", "bitcount", "pexpire", "expire"),
    }
)
"""Commands that Quarry's Lua calls; no client of Quarry or Celery sends one of them by itself."""


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Give the slope of the least-squares line; 0 where all x are equal or there are no two points."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def watched(points: Sequence[tuple[float, float]], total: float) -> list[tuple[float, float]]:
    """Give the points of a worker's last 20,000 runs, or of its last 40 % where it has fewer than 50,000."""
    last = min(WATCHED_RUNS, WATCHED_SHARE * total)
    return [point for point in points if point[0] >= total - last]


def steady_rate(points: Sequence[tuple[float, float]]) -> float:
    """Give runs a second from a fifth to nine tenths of a crawl: without its start and its end.

    Args:
        points: Seconds and runs so far.
    """
    total = max((runs for _, runs in points), default=0.0)
    inner = [(t_s, runs) for t_s, runs in points if 0.2 * total <= runs <= 0.9 * total]
    if len(inner) < 2 or inner[-1][0] <= inner[0][0]:
        inner = [points[0], points[-1]] if len(points) > 1 else [(0.0, 0.0), (1.0, 0.0)]
    (start_s, first), (end_s, last) = inner[0], inner[-1]
    return (last - first) / (end_s - start_s) if end_s > start_s else 0.0


def commands(
    before: dict[str, dict[str, float]], after: dict[str, dict[str, float]]
) -> dict[str, dict[str, float]]:
    """Give calls and microseconds by command between two readings of ``INFO commandstats``."""
    found = {}
    for name, now in after.items():
        then = before.get(name, {})
        calls = now["calls"] - then.get("calls", 0)
        if calls:
            found[name.removeprefix("cmdstat_")] = {"calls": calls, "usec": now["usec"] - then.get("usec", 0)}
    return found


def add_up(stats: dict[str, dict[str, float]], *, runs: int) -> dict[str, float]:
    """Give what the commands cost a run.

    Returns:
        ``round_trips`` (commands that clients sent), ``commands`` (those that Lua called, too), and
        ``usec`` (of what clients sent: Lua's are in it).
    """
    sent = {name: stat for name, stat in stats.items() if name.partition("|")[0] not in INNER}
    return {
        "round_trips": sum(stat["calls"] for stat in sent.values()) / runs,
        "commands": sum(stat["calls"] for stat in stats.values()) / runs,
        "usec": sum(stat["usec"] for stat in sent.values()) / runs,
    }


def mean(values: Iterable[float]) -> float:
    """Give the mean; 0 of nothing."""
    given = list(values)
    return sum(given) / len(given) if given else 0.0
