"""``quarry list failed``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from quarry.cli.flags import READING, SectionCommand, flags_of, make_options

if TYPE_CHECKING:
    from quarry.lode import CommitRecord, Reader

_DEFAULT_LIMIT = 200
_LOG_LINES = 3


def list_failed(**values: Any) -> int:
    """List the failed jobs of a crawl."""
    from quarry.cli.messages import say
    from quarry.cli.on_broker import check_crawl_id
    from quarry.cli.reading import NotFoundError, check_limit, load_reading, open_dataset, show

    crawl = check_crawl_id(values["crawl"])
    limit = check_limit("--limit", values["limit"], default=_DEFAULT_LIMIT)
    settings = load_reading(flags_of(values), values["config"])
    reader = open_dataset(settings)
    found = reader.runs(crawl=crawl, state="failed")
    if not found and not reader.runs(crawl=crawl):
        raise NotFoundError(
            f"no run of a crawl {crawl!r} has ended in {reader.root}; 'quarry list runs' shows what is there"
        )
    shown = found if limit is None else found[:limit]
    document = [_document(record, reader) for record in shown]
    show(settings, document, lambda styles: _lines(crawl, document, styles))
    if len(shown) < len(found):
        say(f"and {len(found) - len(shown)} more failed jobs; --limit 0 lists all")
    return 0


def _document(record: CommitRecord, reader: Reader) -> dict[str, Any]:
    return {
        "job": record.key,
        "run_id": record.run_id,
        "target": record.target,
        "params": record.job,
        "depth": record.depth,
        "attempt": record.attempt,
        "deliveries": record.deliveries,
        "outcome": record.outcome.status.value,
        "reason": record.outcome.reason,
        "error_type": record.outcome.error_type,
        "message": record.outcome.message,
        "ended_at": record.ended_at,
        "log": _last_logs(record, reader),
    }


def _last_logs(record: CommitRecord, reader: Reader) -> list[str]:
    """Give the last lines that the run logged, oldest first."""
    import json

    if not record.rows.get("log"):
        return []
    rows = reader.read(record.run_id, crawl=record.crawl).select(["type", "payload"]).to_pylist()
    logs = [json.loads(row["payload"]) for row in rows if row["type"] == "log"]
    return [f"{log.get('level')}: {log.get('message')}" for log in logs[-_LOG_LINES:]]


def _lines(crawl: str, document: list[dict[str, Any]], styles: Any) -> list[str]:
    from quarry.cli.visible import visible

    if not document:
        return [f"no job of crawl {visible(crawl)} has failed"]
    lines = []
    for row in document:
        why = ": ".join(part for part in (row["error_type"], (row["message"] or "").strip()) if part)
        lines.append(
            f"{row['job']}  {visible(row['target'])}  depth {row['depth']}, attempt {row['attempt']}"
        )
        lines.append(f"  {styles.bad(row['outcome'])}  {visible(why.replace(chr(10), ' / '))[:300]}")
        lines += [f"  log  {visible(text)[:300]}" for text in row["log"]]
    lines.append(f"quarry retry {visible(crawl)} --failed starts a crawl of all of them")
    return lines


command = SectionCommand(
    "failed",
    callback=list_failed,
    help=(
        "List the failed jobs of a crawl: key, target, why, and the last lines that the run logged. Works"
        " while the"
        " crawl runs. Changes nothing."
    ),
    params=[
        click.Argument(["crawl"], metavar="CRAWL"),
        click.Option(
            ["--limit"], metavar="N", help=f"List at most N; 0 lists all.  [default: {_DEFAULT_LIMIT}]"
        ),
        *make_options(READING),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
