"""``quarry list crawls``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarry.cli.flags import SectionCommand, flags_of, make_options
from quarry.cli.on_broker import BROKER

if TYPE_CHECKING:
    from quarry.crawl.observe import CrawlView
    from quarry.engine.broker import Broker


def list_crawls(**values: Any) -> int:
    """List the crawls of a broker."""
    from quarry.cli.on_broker import ask_broker
    from quarry.cli.reading import load_reading, show

    settings = load_reading(flags_of(values), values["config"])

    async def ask(broker: Broker) -> list[CrawlView]:
        from quarry.crawl.observe import read_crawls

        return await read_crawls(broker.registry, broker.ledger)

    document = [view_document(view) for view in ask_broker(settings, ask)]
    show(settings, document, lambda styles: _lines(document, styles))
    return 0


def view_document(view: CrawlView) -> dict[str, Any]:
    """Make the JSON form of what a ledger says of its crawl."""
    from quarry.types import format_timestamp

    state = view.state
    return {
        "crawl": view.crawl,
        # As the summary says it; whether a stopped crawl has ended is said by `closed_at`.
        "status": "stopped" if state.stopped else state.status,
        "stop_reason": state.stop_reason or None,
        "begun_at": format_timestamp(state.created_ms / 1000),
        "closed_at": format_timestamp(state.closed_ms / 1000) if state.closed_ms else None,
        "age_ms": (state.closed_ms or state.now_ms) - state.created_ms,
        "bounds": {
            "depth": state.depth,
            "max_runs": state.max_runs,
            "parallel": state.parallel,
            "max_attempts": state.max_attempts,
            "max_redeliveries": state.max_redeliveries,
        },
        "peak_leased": state.peak_leased,
        "fanout": view.counts.fanout(),
        "imbalances": view.counts.imbalances(),
    }


def _lines(document: list[dict[str, Any]], styles: Any) -> list[str]:
    from quarry.cli.visible import visible

    if not document:
        return ["no crawls; those that ended are listed until they expire"]
    lines = [
        styles.strong(
            f"{'CRAWL':<40} {'STATUS':<9} {'DONE':>9} {'FAILED':>7} {'IN FLIGHT':>9} {'PENDING':>9}"
        )
    ]
    for row in document:
        fanout = row["fanout"]
        lines.append(
            f"{visible(row['crawl']):<40} {row['status']:<9} {fanout['succeeded'] + fanout['failed']:>9}"
            f" {fanout['failed']:>7} {fanout['leased'] + fanout['committing']:>9} {fanout['pending']:>9}"
        )
    return lines


command = SectionCommand(
    "crawls",
    callback=list_crawls,
    help="List the crawls of a broker: the open ones, then the ended ones until they expire. Read-only.",
    params=make_options(BROKER),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
