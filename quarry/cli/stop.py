"""``quarry stop``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from quarry.cli.flags import SectionCommand, flags_of, make_options
from quarry.cli.on_broker import BROKER

if TYPE_CHECKING:
    from quarry.engine.broker import Broker


def stop(**values: Any) -> int:
    """Stop a crawl."""
    from quarry.cli.live import make_reporter
    from quarry.cli.on_broker import ask_broker, check_crawl_id
    from quarry.cli.reading import load_reading, show
    from quarry.cli.session_log import session_log
    from quarry.cli.visible import visible

    crawl = check_crawl_id(values["crawl"])
    at_once = bool(values["now"])
    settings = load_reading(flags_of(values), values["config"])

    async def ask(broker: Broker) -> dict[str, Any]:
        from quarry.engine.stopping import stop_crawl

        state = await broker.state(crawl)
        answer = await stop_crawl(broker, crawl, now=at_once)
        counts = await broker.ledger(crawl).counts()
        return {
            "crawl": crawl,
            "status": "already ended" if answer.status == "closed" else "stopped",
            "was": state.status,
            "in_flight": counts.leased + counts.committing,
            "not_executed": counts.not_executed,
        }

    reporter = make_reporter(quiet=True)
    with session_log(settings, reporter, command="stop"):
        document = ask_broker(settings, ask)

    def lines(_styles: Any) -> list[str]:
        if document["status"] == "already ended":
            return [f"crawl {visible(crawl)} has ended already; nothing was changed"]
        rest = "end now, as failed for the reason 'stopped'" if at_once else "are finished"
        return [
            (
                f"crawl {visible(crawl)} is stopped: {document['in_flight']} runs in flight {rest},"
                f" {document['not_executed']} jobs are not executed"
            )
        ]

    show(settings, document, lines)
    return 0


command = SectionCommand(
    "stop",
    callback=stop,
    help=(
        "Stop a crawl of a broker: nothing more is handed out, what runs is finished, the rest is counted"
        " as not"
        " executed, and the summary is written. A crawl that has ended stays as it is."
    ),
    params=[
        click.Argument(["crawl"], metavar="CRAWL"),
        click.Option(
            ["--now"],
            is_flag=True,
            default=None,
            help="End what runs, too; it fails for the reason 'stopped'.",
        ),
        *make_options(BROKER),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
