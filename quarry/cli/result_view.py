"""The result of ``quarry run``, as a document and as lines for people. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import msgspec

from quarry.cli.query import data_path, make_query
from quarry.cli.styles import Styles
from quarry.cli.visible import visible

if TYPE_CHECKING:
    from quarry.types import RunResult

_ADMISSION = ("admitted", "duplicate", "beyond_depth", "over_cap")
_STATES = ("pending", "leased", "committing", "succeeded", "failed", "not_executed")
_OTHERS = ("seeds", "unread", "replayed", "redeliveries", "max_depth_seen")
_SHOWN_FAILURES = 20
_SHOWN_CHARS = 300


def result_document(result: RunResult, warnings: list[str]) -> dict[str, Any]:
    """Give the JSON result (CLI contract)."""
    document: dict[str, Any] = msgspec.to_builtins(result)
    document["warnings"] = warnings
    return document


def result_lines(result: RunResult, *, color: bool) -> list[str]:
    """Give the summary: outcome, counters with both equations, failures, and where to look next."""
    styles = Styles(color=color)
    good = result.exit_code == 0
    # Of a crawl whose ledger could not be read there are no counters.
    is_crawl = result.fanout is not None or result.outcome in {"unfinished", "detached"}
    head = f"{'crawl' if is_crawl else 'run'} {visible(result.crawl)}"
    outcome = (
        styles.good(result.outcome) if good else styles.bad(f"{result.outcome} (exit {result.exit_code})")
    )
    lines = [f"{styles.strong(head)}  {outcome}  {result.duration_ms / 1000:.1f} s"]
    if result.message:
        lines.append(f"  {_short(result.message)}")
    if result.fanout is not None:
        lines += equation_lines(result.fanout)
    rows = ", ".join(f"{visible(kind)} {count}" for kind, count in sorted(result.rows.items()))
    lines.append(f"  rows: {rows or 'none'}")
    lines += failure_lines(result.failures, styles)
    return [*lines, *_next_lines(result)]


def equation_lines(fanout: dict[str, int]) -> list[str]:
    """Write the counters so that both equations can be checked by eye."""
    return [
        f"  received {fanout['received']} = " + " + ".join(f"{name} {fanout[name]}" for name in _ADMISSION),
        f"  admitted {fanout['admitted']} = " + " + ".join(f"{name} {fanout[name]}" for name in _STATES),
        "  " + ", ".join(f"{name} {fanout[name]}" for name in _OTHERS),
    ]


def failure_lines(failures: list[dict[str, Any]], styles: Styles) -> list[str]:
    """Write the failures by error type: how many, and one example."""
    if not failures:
        return []
    lines = [styles.strong("failures")]
    for group in failures[:_SHOWN_FAILURES]:
        example = group["example"]
        lines.append(f"  {styles.bad(visible(str(group['error_type'])))}  {group['count']}")
        lines.append(f"    {visible(str(example['run_id']))}: {_short(str(example['message']))}")
    if len(failures) > _SHOWN_FAILURES:
        lines.append(f"  and {len(failures) - _SHOWN_FAILURES} more error types")
    return lines


def _next_lines(result: RunResult) -> list[str]:
    storage = result.storage
    lines = [f"data: {visible(data_path(result))}"]
    query = make_query(result)
    if query:
        lines += ["query (DuckDB):", f"  {visible(query)}"]
    words = ["quarry", "inspect", "crawl", result.crawl, "--storage-path", str(storage["path"])]
    if storage["dataset"] != "quarry":
        words += ["--dataset", str(storage["dataset"])]
    lines.append(f"inspect: {visible(shlex.join(words))}")
    return lines


def _short(text: str) -> str:
    shown = visible(text.strip().replace("\n", " / "))
    return shown if len(shown) <= _SHOWN_CHARS else shown[: _SHOWN_CHARS - 1] + "…"
