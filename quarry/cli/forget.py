"""``quarry forget``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from quarry.cli.flags import SectionCommand, flags_of, make_options
from quarry.cli.on_broker import BROKER

if TYPE_CHECKING:
    from quarry.engine.broker import Broker


def forget(**values: Any) -> int:
    """Forget a crawl."""
    from quarry.cli.on_broker import ask_broker, check_crawl_id
    from quarry.cli.reading import load_reading, show
    from quarry.cli.visible import visible
    from quarry.errors import ConfigError

    crawl = check_crawl_id(values["crawl"])
    settings = load_reading(flags_of(values), values["config"])

    async def ask(broker: Broker) -> str | None:
        seeder = (await broker.state(crawl)).seeder
        gone = await broker.ledger(crawl).forget()
        if gone:
            await broker.registry.drop(crawl)
        return seeder if gone else None

    from quarry.engine.state import crawl_folder, remove_folder_of

    seeder = ask_broker(settings, ask)
    if seeder is None:
        raise ConfigError(
            f"crawl {crawl} has not ended, or its summary is not written yet, and its ledger is needed:"
            f" quarry stop {crawl} ends it"
        )
    remove_folder_of(crawl_folder(settings.state_dir, crawl), seeder)
    show(
        settings,
        {"crawl": crawl, "status": "forgotten"},
        lambda _styles: [f"crawl {visible(crawl)} is forgotten by the broker; its data stay in the storage"],
    )
    return 0


command = SectionCommand(
    "forget",
    callback=forget,
    help=(
        "Remove what a broker keeps of an ended crawl, at once; by itself it goes after"
        " ledger.expire_after (168h). What this machine keeps to go on with its seeding goes too."
        " Data and summary stay in the storage."
    ),
    params=[click.Argument(["crawl"], metavar="CRAWL"), *make_options(BROKER)],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
