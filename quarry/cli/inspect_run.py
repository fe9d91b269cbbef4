"""``quarry inspect run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from quarry.cli.flags import READING, SectionCommand, flags_of, make_options

if TYPE_CHECKING:
    from quarry.lode import CommitRecord

_SHOWN_JOB_CHARS = 2000


def inspect_run(**values: Any) -> int:
    """Show a run."""
    from quarry.cli.reading import NotFoundError, load_reading, open_dataset, show
    from quarry.cli.record_view import record_document, row_document
    from quarry.errors import StoreError

    settings = load_reading(flags_of(values), values["config"])
    reader = open_dataset(settings)
    try:
        record = reader.run(values["run"], crawl=values["crawl"])
    except StoreError as error:
        if error.kind != "not_found":
            raise
        raise NotFoundError(
            f"run {values['run']!r} has no commit record in {reader.root}: it is running, was lost, or never"
            " was"
        ) from error
    others = [a for a in reader.attempts(crawl=record.crawl) if a.key == record.key and a != record]
    document = {**record_document(record), "other_attempts": [row_document(a) for a in others]}
    show(settings, document, lambda styles: _lines(record, others, styles))
    return 0


def _lines(record: CommitRecord, others: list[CommitRecord], styles: Any) -> list[str]:
    from quarry.cli.output import json_text
    from quarry.cli.record_view import outcome_text, proxy_text, rows_text
    from quarry.cli.visible import visible

    job = json_text(record.job).replace("\n", " ")
    facts = [
        ("outcome", outcome_text(record, styles)),
        ("crawl", visible(record.crawl)),
        ("target", visible(record.target)),
        ("script", f"{visible(record.script)} (SHA-256 {record.script_sha256 or 'unknown'})"),
        ("job", visible(job[:_SHOWN_JOB_CHARS])),
        ("partition", visible(f"source {record.source}, category {record.category}, day {record.day}")),
        (
            "lineage",
            visible(f"depth {record.depth}, attempt {record.attempt}, parent {record.parent_run_id}"),
        ),
        ("time", f"{record.started_at} to {record.ended_at}, {record.duration_ms} ms"),
        ("deliveries", str(record.deliveries)),
        ("proxy", visible(proxy_text(record.proxy))),
        ("policy", visible(record.policy)),
        ("rows", rows_text(record.rows)),
        ("enqueued", str(record.enqueue_events)),
    ]
    width = max(len(name) for name, _ in facts)
    lines = [styles.strong(f"run {visible(record.run_id)}")]
    lines += [f"  {name.ljust(width)}  {told}" for name, told in facts]
    files = [(visible(f.path), f"{f.rows} rows, {f.bytes} bytes") for f in record.files]
    files += [(visible(f.path), f"{visible(f.content_type)}, {f.bytes} bytes") for f in record.sidecars]
    lines += ["files", *(f"  {path}  {told}" for path, told in files)] if files else []
    for other in others:
        lines.append(f"attempt {other.attempt}: {visible(other.run_id)}  {outcome_text(other, styles)}")
    if record.outcome.stack:
        lines += ["stack", *(f"  {visible(line)}" for line in record.outcome.stack.splitlines())]
    return lines


command = SectionCommand(
    "run",
    callback=inspect_run,
    help="Show one run: its commit record, files, and the other attempts of its job.",
    params=[
        click.Argument(["run"], metavar="ID"),
        click.Option(["--crawl"], metavar="ID", help="Look in this crawl only."),
        *make_options(READING),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
