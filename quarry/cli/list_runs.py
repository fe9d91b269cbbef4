"""``quarry list runs``."""

from __future__ import annotations

import re
from typing import Any

import click

from quarry.cli.flags import READING, SectionCommand, flags_of, make_options

_DEFAULT_LIMIT = 200
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def list_runs(**values: Any) -> int:
    """List runs."""
    from quarry.cli.messages import say
    from quarry.cli.reading import check_limit, load_reading, open_dataset, show
    from quarry.cli.record_view import row_document

    limit = check_limit("--limit", values["limit"], default=_DEFAULT_LIMIT)
    _check(values["day"], values["state"])
    settings = load_reading(flags_of(values), values["config"])
    reader = open_dataset(settings)
    found = reader.runs(
        day=values["day"], source=values["source"], state=values["state"], crawl=values["crawl"]
    )
    found.reverse()
    shown = found if limit is None else found[:limit]
    show(settings, [row_document(record) for record in shown], lambda styles: _lines(shown, styles))
    if len(shown) < len(found):
        say(f"and {len(found) - len(shown)} older runs; --limit 0 lists all")
    return 0


def _check(day: str | None, state: str | None) -> None:
    from quarry.config.suggest import did_you_mean
    from quarry.errors import ConfigError
    from quarry.types import OutcomeStatus

    problems = []
    if day is not None and not _DAY.fullmatch(day):
        problems.append(f"--day: must be a UTC day such as 2026-01-31, not {day!r}")
    states = ["failed", *(status.value for status in OutcomeStatus)]
    if state is not None and state not in states:
        problems.append(f"--state: there is no state {state!r}{did_you_mean(state, states)}")
    if problems:
        raise ConfigError(problems)


def _lines(records: list[Any], styles: Any) -> list[str]:
    from quarry.cli.record_view import rows_text, table_lines

    if not records:
        return ["no runs"]
    header = ("started", "run", "crawl", "source", "target", "depth", "ms", "outcome", "rows")
    rows = (
        (
            r.started_at,
            r.run_id,
            r.crawl,
            r.source,
            r.target,
            str(r.depth),
            str(r.duration_ms),
            r.outcome.status.value,
            rows_text(r.rows),
        )
        for r in records
    )
    return table_lines(header, rows, styles)


command = SectionCommand(
    "runs",
    callback=list_runs,
    help="List the runs that have ended, the latest first; as JSON one array.",
    params=[
        click.Option(["--crawl"], metavar="ID", help="Only runs of this crawl."),
        click.Option(["--source"], metavar="TEXT", help="Only runs of this source."),
        click.Option(["--state"], metavar="STATE", help="success, failed (all but success), or one outcome."),
        click.Option(["--day"], metavar="YYYY-MM-DD", help="Only crawls that began on this UTC day."),
        click.Option(
            ["--limit"], metavar="N", help=f"List at most N runs; 0 lists all.  [default: {_DEFAULT_LIMIT}]"
        ),
        *make_options(READING),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
