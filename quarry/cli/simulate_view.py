"""The answer of ``quarry simulate`` as text for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarry.cli.record_view import table_lines

if TYPE_CHECKING:
    from quarry.cli.styles import Styles

_UNITS = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_TIMES = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"))


def answer_lines(answer: dict[str, Any], styles: Styles) -> list[str]:
    """Write the whole answer."""
    workers, redis, storage = answer["workers"], answer["redis"], answer["storage"]
    work, time, money = answer["workload"], answer["time"], answer["money"]
    if redis["one_suffices"]:
        verdict = styles.good("one Redis suffices")
    else:
        verdict = styles.bad("one Redis does not suffice")
    lines = [
        styles.strong(f"{work['jobs']:,} jobs at {work['rate']:g} runs a second: {_time(time['crawl_s'])}"),
        "",
        f"workers   {workers['processes']:,} processes of {workers['slots_each']} runs on {workers['cores']:,} cores,"
        f" {_bytes(workers['memory_bytes'])}; --parallel {workers['parallel']:,}",
        f"          {workers['cpu_ms_per_run']:.2f} ms of CPU a run",
        f"redis     {verdict}: {redis['core']:.0%} of its core, {_bytes(redis['memory_bytes'])}"
        f" of {_bytes(redis['memory_available_bytes'])}",
        f"          {redis['commands_per_s']:,.0f} commands/s, {redis['round_trips_per_s']:,.0f} round trips/s,"
        f" {_bytes(redis['network_bytes_per_s'])}/s",
        f"          seen keys {_bytes(redis['seen_keys_bytes'])}, pending jobs {_bytes(redis['pending_jobs_bytes'])}"
        f" ({work['pending']:,} at once at most)",
        f"storage   {_bytes(storage['bytes'])} in {storage['write_requests']:,.0f} writes,"
        f" {storage['write_requests_per_s']:,.0f}/s",
        f"traffic   {_bytes(workers['pages_bytes'])} of pages",
        f"close     {_time(time['close_s'])}",
        f"money     {money['total']:,.2f} {money['currency']}: cores {money['workers']:,.2f}, Redis"
        f" {money['redis']:,.2f}, writes {money['requests']:,.2f}, storage a month {money['storage_month']:,.2f}",
        "",
    ]
    rows = [_limit_row(limit) for limit in answer["limits"]]
    lines += table_lines(("limit", "at", "", "why"), rows, styles)
    lines += ["", f"measured on {_measured(answer['measured'])}"]
    return lines


def _limit_row(limit: dict[str, Any]) -> tuple[str, str, str, str]:
    if limit["runs_per_s"] is not None:
        at = f"{limit['runs_per_s']:,.0f} runs/s"
    else:
        at = f"{limit['jobs']:,} jobs"
    reached = ("BEYOND" if limit["stops"] else "beyond") if limit["reached"] else "within"
    return limit["name"], at, reached, limit["told"]


def _measured(measured: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in measured.items())


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
