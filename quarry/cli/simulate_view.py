"""The answer of ``quarry simulate`` as text for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarry.cli.record_view import table_lines
from quarry.cli.visible import visible

if TYPE_CHECKING:
    from quarry.cli.styles import Styles

_UNITS = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_TIMES = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"))


def answer_lines(answer: dict[str, Any], styles: Styles) -> list[str]:
    """Write the whole answer."""
    work = answer["workload"]
    told = [
        ("workers", _workers(answer["workers"])),
        ("", f"{answer['workers']['cpu_ms_per_run']:.2f} ms of CPU a run"),
        ("redis", _redis(answer["redis"], styles)),
        ("", _redis_load(answer["redis"])),
        ("", _redis_memory(answer["redis"], work["pending"])),
        ("storage", _storage(answer["storage"])),
        ("traffic", f"{_bytes(answer['workers']['pages_bytes'])} of pages"),
        ("close", _time(answer["time"]["close_s"])),
        ("money", _money(answer["money"])),
    ]
    head = f"{work['jobs']:,} jobs at {work['rate']:g} runs a second: {_time(answer['time']['crawl_s'])}"
    rows = [_limit_row(limit) for limit in answer["limits"]]
    return [
        styles.strong(head),
        "",
        *[f"{label:<9} {text}" for label, text in told],
        "",
        *table_lines(("limit", "at", "", "why"), rows, styles),
        "",
        "measured: " + visible(", ".join(f"{name} {value}" for name, value in answer["measured"].items())),
    ]


def _workers(workers: dict[str, Any]) -> str:
    fleet = (
        f"{workers['processes']:,} processes of {workers['slots_each']} runs on {workers['cores']:,} cores"
    )
    return f"{fleet}, {_bytes(workers['memory_bytes'])}; --parallel {workers['parallel']:,}"


def _redis(redis: dict[str, Any], styles: Styles) -> str:
    verdict = styles.good("one suffices") if redis["one_suffices"] else styles.bad("one does not suffice")
    memory = f"{_bytes(redis['memory_bytes'])} of {_bytes(redis['memory_available_bytes'])}"
    return f"{verdict}: {redis['core']:.0%} of its core, {memory}"


def _redis_load(redis: dict[str, Any]) -> str:
    trips = f"{redis['round_trips_per_s']:,.0f} round trips/s, {redis['commands_per_s']:,.0f} commands/s"
    return f"{trips}, {_bytes(redis['network_bytes_per_s'])}/s"


def _redis_memory(redis: dict[str, Any], pending: int) -> str:
    keys = f"seen keys {_bytes(redis['seen_keys_bytes'])}"
    return f"{keys}, pending jobs {_bytes(redis['pending_jobs_bytes'])} ({pending:,} at once at most)"


def _storage(storage: dict[str, Any]) -> str:
    writes = f"{storage['write_requests']:,.0f} writes, {storage['write_requests_per_s']:,.0f}/s"
    return f"{_bytes(storage['bytes'])} in {writes}"


def _money(money: dict[str, Any]) -> str:
    parts = f"cores {money['workers']:,.2f}, Redis {money['redis']:,.2f}, writes {money['requests']:,.2f}"
    total = f"{money['total']:,.2f} {visible(money['currency'])}"
    return f"{total}: {parts}, storage for a month {money['storage_month']:,.2f}"


def _limit_row(limit: dict[str, Any]) -> tuple[str, str, str, str]:
    if limit["runs_per_s"] is not None:
        at = f"{limit['runs_per_s']:,.0f} runs/s"
    else:
        at = f"{limit['jobs']:,} jobs"
    reached = ("BEYOND" if limit["stops"] else "beyond") if limit["reached"] else "within"
    return limit["name"], at, reached, limit["told"]


def _bytes(size: float) -> str:
    for unit, name in _UNITS:
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size:.0f} B"


def _time(seconds: float) -> str:
    for unit, name in _TIMES:
        if seconds >= unit:
            return f"{seconds / unit:,.1f} {name}"
    return f"{seconds:.1f} s"
