"""The whole answer to one question, as a document. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from quarry.simulate.limits import REDIS_BUSY, find_limits
from quarry.simulate.model import compute_needs
from quarry.simulate.money import compute_money

if TYPE_CHECKING:
    from quarry.simulate.costs import Costs
    from quarry.simulate.model import Workload
    from quarry.simulate.prices import Prices


def answer(costs: Costs, prices: Prices, work: Workload, *, redis_bytes: float) -> dict[str, Any]:
    """Say what a crawl needs, costs, and where it stops scaling.

    Args:
        costs: What runs cost.
        prices: What things cost.
        work: The crawl.
        redis_bytes: Memory that the Redis machine has for it.

    Returns:
        Of JSON's types: ``workload``, ``workers``, ``redis``, ``storage``, ``time``, ``money``, ``limits``,
        ``first_limit`` (of the rate; None does not occur) and ``measured``.
    """
    needs = compute_needs(costs, work)
    money = compute_money(needs, prices)
    limits = find_limits(costs, work, redis_bytes=redis_bytes)
    hard = [limit for limit in limits if limit.stops and limit.runs_per_s is not None]
    return {
        "workload": {**asdict(work), "pending": work.most_pending},
        "time": {"crawl_s": needs.seconds, "close_s": needs.close_s, "seeding_cpu_s": needs.seeding_cpu_s},
        "workers": {
            "cores": needs.cores,
            "busy_worker_cores": needs.worker_cores,
            "busy_executor_cores": needs.executor_cores,
            "processes": needs.workers,
            "slots_each": work.slots,
            "parallel": needs.at_once,
            "memory_bytes": needs.worker_memory_bytes,
            "cpu_ms_per_run": (needs.per_run.worker_cpu_us + needs.per_run.executor_cpu_us) / 1000,
            "pages_bytes": needs.traffic_bytes,
        },
        "redis": {
            "one_suffices": needs.redis_core <= REDIS_BUSY and needs.redis_memory_bytes <= redis_bytes,
            "core": needs.redis_core,
            "commands_per_s": needs.redis_ops_per_s,
            "round_trips_per_s": needs.redis_round_trips_per_s,
            "round_trips_per_run": needs.per_run.redis_round_trips,
            "network_bytes_per_s": needs.redis_net_bytes_per_s,
            "memory_bytes": needs.redis_memory_bytes,
            "seen_keys_bytes": needs.redis_keys_bytes,
            "pending_jobs_bytes": needs.redis_pending_bytes,
            "memory_available_bytes": redis_bytes,
        },
        "storage": {
            "write_requests": needs.storage_requests,
            "write_requests_per_s": needs.storage_requests / needs.seconds,
            "files_per_run": needs.per_run.storage_files,
            "bytes": needs.storage_bytes,
        },
        "money": {**asdict(money), "total": money.total, "currency": prices.currency},
        "limits": [asdict(limit) for limit in limits],
        "first_limit": hard[0].name,
        "measured": costs.measured,
    }
