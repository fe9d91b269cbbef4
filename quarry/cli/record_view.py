"""Commit records, as documents and as text. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from quarry.cli.lineage import is_failed
from quarry.cli.visible import visible
from quarry.types.proxy import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quarry.cli.styles import Styles
    from quarry.lode import CommitRecord

_MESSAGE_CHARS = 120
_URL_CHARS = 100
_USER_INFO = re.compile(r"//[^/?#]*@")


def record_document(record: CommitRecord) -> dict[str, Any]:
    """Give a whole record."""
    document: dict[str, Any] = msgspec.to_builtins(record)
    return document


def row_document(record: CommitRecord) -> dict[str, Any]:
    """Give what a list shows of a record."""
    return {
        "run_id": record.run_id,
        "crawl": record.crawl,
        "day": record.day,
        "source": record.source,
        "category": record.category,
        "target": record.target,
        "attempt": record.attempt,
        "depth": record.depth,
        "parent_run_id": record.parent_run_id,
        "outcome": record.outcome.status.value,
        "error_type": record.outcome.error_type,
        "message": record.outcome.message,
        "rows": record.rows,
        "started_at": record.started_at,
        "duration_ms": record.duration_ms,
        "deliveries": record.deliveries,
    }


def outcome_text(record: CommitRecord, styles: Styles) -> str:
    """Write an outcome: its status, and of a failed run why."""
    status = record.outcome.status.value
    if not is_failed(record):
        return styles.good(status)
    why = ": ".join(part for part in (record.outcome.error_type, record.outcome.message.strip()) if part)
    shown = visible(why.replace("\n", " / "))
    shown = shown if len(shown) <= _MESSAGE_CHARS else shown[: _MESSAGE_CHARS - 1] + "…"
    return styles.bad(status) + (f"  {shown}" if shown else "")


def url_text(record: CommitRecord) -> str:
    """Write the URL of a job that has one, without user and password, and two blanks; else nothing."""
    url = record.job.get("url") if isinstance(record.job, dict) else None
    if not isinstance(url, str):
        return ""
    shown = visible(_USER_INFO.sub("//", url, count=1))
    return (shown if len(shown) <= _URL_CHARS else shown[: _URL_CHARS - 1] + "…") + "  "


def proxy_text(proxy: dict[str, Any] | None) -> str:
    """Write a record's proxy: the endpoint in use at the end, and its pool; a foreign executor's as it is."""
    if not proxy:
        return "none"
    protocol, host, port = (proxy.get(name) for name in ("protocol", "host", "port"))
    pool = f"pool {proxy['pool']}" if "pool" in proxy else ""
    if not isinstance(protocol, str) or not isinstance(host, str) or not isinstance(port, int):
        return f"no endpoint, {pool}" if pool else str(proxy)
    endpoint = Endpoint(protocol=protocol, host=host, port=port, username=proxy.get("username"))
    return ", ".join(filter(None, (endpoint.identity, pool)))


def rows_text(rows: dict[str, int]) -> str:
    """Write row counts by event type."""
    return ", ".join(f"{visible(kind)} {count}" for kind, count in sorted(rows.items())) or "none"


def table_lines(header: tuple[str, ...], rows: Iterable[tuple[str, ...]], styles: Styles) -> list[str]:
    """Align columns; the last one is not padded. Values are shown safely."""
    shown = [tuple(map(visible, row)) for row in rows]
    widths = [max(len(row[i]) for row in [header, *shown]) for i in range(len(header))]

    def line(row: tuple[str, ...]) -> str:
        padded = [value.ljust(width) for value, width in zip(row[:-1], widths, strict=False)]
        return "  ".join([*padded, row[-1]])

    return [styles.strong(line(header)), *map(line, shown)]
