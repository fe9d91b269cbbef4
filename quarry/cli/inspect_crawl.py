"""``quarry inspect crawl``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from quarry.cli.flags import READING, SectionCommand, flags_of, make_options

if TYPE_CHECKING:
    from quarry.cli.lineage import Lineage
    from quarry.config.settings import Settings
    from quarry.crawl.observe import CrawlView
    from quarry.crawl.summary import Tally
    from quarry.engine.broker import Broker

_INDENTED_LEVELS = 30
_DEFAULT_LIMIT = 200


def inspect_crawl(**values: Any) -> int:
    """Show a crawl."""
    from quarry.cli.lineage import make_lineage
    from quarry.cli.reading import NotFoundError, check_limit, load_reading, open_dataset, show
    from quarry.crawl.summary import Tally

    crawl: str = values["crawl"]
    limit = check_limit("--limit", values["limit"], default=_DEFAULT_LIMIT)
    depth_limit = check_limit("--depth-limit", values["depth_limit"], default=None, zero_is_all=False)
    settings = load_reading(flags_of(values), values["config"])
    live = _live(settings, crawl)
    try:
        reader = open_dataset(settings)
    except NotFoundError:
        if live is None:
            raise
        records, summary, attempts = [], None, []
    else:
        records, summary = reader.runs(crawl=crawl), reader.summary(crawl)
        attempts = reader.attempts(crawl=crawl)
        if not records and summary is None and not attempts and live is None:
            raise NotFoundError(
                f"no run of a crawl {crawl!r} has ended in {reader.root}; 'quarry list runs' shows what"
                " is there"
            )
    tally = Tally()
    for record in records:
        tally.add(record)
    tree = make_lineage(records, failed_only=bool(values["failed"]), depth_limit=depth_limit, limit=limit)
    document = _document(crawl, summary, tally, len(attempts), tree)
    if live is not None:
        document |= {"ledger": live, "fanout": live["fanout"]}
        if summary is None:
            document["state"] = live["status"]
    show(settings, document, lambda styles: _lines(document, tally, tree, styles))
    return 0


def _live(settings: Settings, crawl: str) -> dict[str, Any] | None:
    """Read the crawl's ledger where a broker is named; what it says is newer than any summary."""
    from quarry.cli.list_crawls import view_document
    from quarry.cli.messages import say
    from quarry.cli.on_broker import ask_broker, check_crawl_id
    from quarry.errors import ConfigError, SchedulerError

    if settings.broker is None:
        return None
    check_crawl_id(crawl)

    async def ask(broker: Broker) -> CrawlView | None:
        from quarry.crawl.observe import read_crawl

        return await read_crawl(broker.ledger(crawl))

    try:
        view = ask_broker(settings, ask)
    except (ConfigError, SchedulerError) as error:
        say(f"warning: the ledger is not shown: {error}")
        return None
    return None if view is None else view_document(view)


def _document(
    crawl: str, summary: dict[str, Any] | None, tally: Tally, attempts: int, tree: Lineage
) -> dict[str, Any]:
    from quarry.cli.record_view import row_document

    return {
        "crawl": crawl,
        "state": summary["state"] if summary else "no summary: a single run, or a crawl that is not closed",
        "records": tally.records,
        "succeeded": tally.succeeded,
        "failed": tally.failed,
        "failed_attempts": attempts,
        "event_count": tally.events,
        "rows": dict(sorted(tally.rows.items())),
        "fanout": summary["fanout"] if summary else None,
        "failures": tally.failures(),
        "summary": summary,
        "runs": [row_document(branch.record) for branch in tree.branches],
        "omitted": tree.matching - len(tree.branches),
        "too_deep": tree.too_deep,
    }


def _lines(document: dict[str, Any], tally: Tally, tree: Lineage, styles: Any) -> list[str]:
    from quarry.cli.record_view import outcome_text, rows_text, url_text
    from quarry.cli.result_view import equation_lines, failure_lines
    from quarry.cli.visible import visible

    lines = [f"{styles.strong('crawl ' + visible(document['crawl']))}  {visible(document['state'])}"]
    lines.append(
        f"  records {tally.records}: succeeded {tally.succeeded}, failed {tally.failed};"
        f" failed attempts before them {document['failed_attempts']}"
    )
    if document["fanout"]:
        lines += equation_lines(document["fanout"])
    lines.append(f"  rows: {rows_text(document['rows'])}")
    lines += failure_lines(document["failures"], styles)
    lines.append(styles.strong("runs"))
    for level, record in tree.branches:
        indent = "  " * min(level + 1, _INDENTED_LEVELS)
        where = f"depth {record.depth}" + (f", attempt {record.attempt}" if record.attempt > 1 else "")
        name = f"{visible(record.run_id)}  {visible(record.target)}  {url_text(record)}{where}"
        lines.append(f"{indent}{name}  {outcome_text(record, styles)}")
    if document["omitted"]:
        lines.append(f"  and {document['omitted']} more runs; --limit 0 shows all")
    if tree.too_deep:
        lines.append(f"  and {tree.too_deep} runs below the depth limit")
    return lines


command = SectionCommand(
    "crawl",
    callback=inspect_crawl,
    help=(
        "Show a crawl: its counters, failures, and the lineage tree of its runs. Works while it runs: what"
        " has ended is shown, and with --broker the ledger's counters of this moment."
    ),
    params=[
        click.Argument(["crawl"], metavar="ID"),
        click.Option(
            ["--failed"], is_flag=True, default=None, help="Only failed runs and the runs that lead to them."
        ),
        click.Option(
            ["--depth-limit"], metavar="N", help="Leave out runs of a greater depth.  [default: no limit]"
        ),
        click.Option(
            ["--limit"], metavar="N", help=f"Show at most N runs; 0 shows all.  [default: {_DEFAULT_LIMIT}]"
        ),
        *make_options((*READING, "broker")),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
