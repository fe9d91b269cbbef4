"""Proxy pools as documents and as text, endpoints by their identity. Pure."""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING, Any

from quarry.cli.visible import visible
from quarry.types import format_timestamp
from quarry.types.rotation import STATES, EndpointFigures

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quarry.cli.styles import Styles
    from quarry.types.proxy import ProxyPool
    from quarry.types.rotation import Definition, PoolFigures, PoolTotals

_AWAY = ("resting", "trial")
_ORDER = ("resting", "trial", "due", "healthy")


def pool_document(pool: ProxyPool) -> dict[str, Any]:
    """Give a pool's definition without its endpoints."""
    return {
        "pool": pool.name,
        "digest": pool.digest,
        "strategy": pool.strategy,
        "sticky": {"scope": pool.sticky.scope, "ttl_ms": pool.sticky.ttl_ms} if pool.sticky else None,
        "recency_window": pool.recency_window if pool.strategy == "random" else None,
        "size": len(pool.endpoints),
    }


def definition_document(definition: Definition, totals: PoolTotals) -> dict[str, Any]:
    """Give what a broker knows of a definition that is not the configuration's."""
    return {
        "pool": definition.name,
        "digest": definition.digest,
        "strategy": definition.strategy,
        "size": definition.size,
        "choices": totals.choices,
        "resting": totals.resting,
        "announced_at": _time(definition.last_ms),
    }


def use_document(figures: PoolFigures) -> dict[str, Any]:
    """Give how a pool is used, over all its endpoints."""
    used = [each.last_used_ms for each in figures.endpoints.values() if each.last_used_ms is not None]
    states = [state_of(each, figures.now_ms) for each in figures.endpoints.values()]
    return {
        "choices": figures.choices,
        "resting": sum(state in _AWAY for state in states),
        "last_used_at": _time(max(used, default=None)),
    }


def states_document(pool: ProxyPool, figures: PoolFigures) -> dict[str, int]:
    """Count the endpoints by state."""
    counts = dict.fromkeys(STATES, 0)
    for each in figures.endpoints.values():
        counts[state_of(each, figures.now_ms)] += 1
    counts["healthy"] += len(pool.endpoints) - len(figures.endpoints)
    return counts


def state_of(figures: EndpointFigures, now_ms: int) -> str:
    """Give an endpoint's state; a rest that is over is only noted by the next choice."""
    if figures.resting_until_ms is not None and figures.resting_until_ms <= now_ms:
        return "due"
    return figures.state


def choose_endpoints(pool: ProxyPool, figures: PoolFigures, limit: int | None) -> list[int]:
    """Give positions to show: those that rest first, then banned ones, failing ones, the others in order.

    Args:
        pool: The pool.
        figures: Of its endpoints.
        limit: How many; None is all.
    """

    def rank(at: int) -> tuple[int, bool, int, int]:
        each = figures.endpoints.get(at)
        if each is None:
            return len(_ORDER), True, 0, at
        return _ORDER.index(state_of(each, figures.now_ms)), not each.banned, -each.failed, at

    every = range(len(pool.endpoints))
    return sorted(every, key=rank) if limit is None else nsmallest(limit, every, key=rank)


def endpoint_document(pool: ProxyPool, figures: PoolFigures, at: int) -> dict[str, Any]:
    """Give what is known of one endpoint."""
    each = figures.endpoints.get(at, EndpointFigures())
    state = state_of(each, figures.now_ms)
    return {
        "endpoint": pool.endpoints[at].identity,
        "position": at,
        "state": state,
        "chosen": each.chosen,
        "last_number": each.last_number or None,
        "last_used_at": _time(each.last_used_ms),
        "ok": each.ok,
        "failed": each.failed,
        "mean_latency_ms": round(each.latency_ms / each.ok, 1) if each.ok else None,
        "resting_until": _time(each.resting_until_ms) if state in _AWAY else None,
        "rests": each.rests,
        "banned": {domain: _time(until) for domain, until in sorted(each.banned.items())},
    }


def head_line(document: dict[str, Any], styles: Styles) -> str:
    """Write what a pool is, on one line."""
    head = f"{strategy_text(document)}, {document['size']} endpoints, digest {document['digest']}"
    return f"{styles.strong('pool ' + visible(document['pool']))}  {head}"


def strategy_text(row: dict[str, Any]) -> str:
    """Write a strategy with what belongs to it."""
    if row.get("sticky"):
        ttl_ms = row["sticky"]["ttl_ms"]
        ttl = f", {ttl_ms / 1000:g} s" if ttl_ms is not None else ""
        return f"{row['strategy']} ({row['sticky']['scope']}{ttl})"
    if row.get("recency_window"):
        return f"{row['strategy']} (window {row['recency_window']})"
    return str(row["strategy"])


def other_lines(others: Iterable[dict[str, Any]]) -> list[str]:
    """Write the other definitions of a pool's name, a line each."""
    return [
        f"  another definition of {row['pool']} is in use: {row['digest']}, {row['strategy']}, {row['size']}"
        f" endpoints, {row['choices']} choices, last announced {row['announced_at']}"
        for row in others
    ]


def _time(ms: int | None) -> str | None:
    return None if ms is None else format_timestamp(ms / 1000)
