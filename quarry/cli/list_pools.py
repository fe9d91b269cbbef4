"""``quarry list pools``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarry.cli.flags import SectionCommand, flags_of, make_options
from quarry.cli.on_broker import BROKER

if TYPE_CHECKING:
    from quarry.cli.styles import Styles
    from quarry.engine.broker import Broker
    from quarry.types.proxy import ProxyPool

_FLEET = ("choices", "resting", "last_used_at")


def list_pools(**values: Any) -> int:
    """List the pools of the configuration, and those of the broker."""
    from quarry.cli.on_broker import ask_broker
    from quarry.cli.pool_choice import used_pool
    from quarry.cli.pool_view import pool_document
    from quarry.cli.reading import load_reading, show

    settings = load_reading(flags_of(values), values["config"])
    pools = [used_pool(settings, name) for name in sorted(settings.proxies)]
    if settings.broker is None:
        document = [{**_own(pool_document(pool)), **dict.fromkeys(_FLEET), "others": None} for pool in pools]
    else:
        document = ask_broker(settings, lambda broker: _ask(broker, pools))
    show(settings, document, lambda styles: _lines(document, styles))
    return 0


async def _ask(broker: Broker, pools: list[ProxyPool]) -> list[dict[str, Any]]:
    from quarry.cli.pool_view import definition_document, pool_document, use_document

    store = broker.pools()
    own = {(pool.name, pool.digest) for pool in pools}
    others: dict[str, list[dict[str, Any]]] = {}
    for definition in await store.definitions():
        if (definition.name, definition.digest) not in own:
            row = definition_document(definition, await store.totals(definition))
            others.setdefault(definition.name, []).append(row)
    document = [
        {
            **_own(pool_document(pool)),
            **use_document(await store.figures(pool)),
            "others": others.pop(pool.name, []),
        }
        for pool in pools
    ]
    return document + [
        {"in_configuration": False, **row} for _, rows in sorted(others.items()) for row in rows
    ]


def _own(document: dict[str, Any]) -> dict[str, Any]:
    return {"in_configuration": True, **document}


def _lines(document: list[dict[str, Any]], styles: Styles) -> list[str]:
    from quarry.cli.pool_view import other_lines, strategy_text
    from quarry.cli.record_view import table_lines

    if not document:
        return ["no pools; they are defined under 'proxies:' of the configuration file (--config)"]
    rows = [
        (
            row["pool"],
            strategy_text(row),
            str(row["size"]),
            row["digest"],
            *(str("-" if row.get(name) is None else row[name]) for name in _FLEET),
            "" if row["in_configuration"] else "not in the configuration",
        )
        for row in document
    ]
    header = ("pool", "strategy", "endpoints", "digest", "choices", "resting", "last used", "")
    lines = table_lines(header, rows, styles)
    for row in document:
        lines += other_lines(row.get("others") or [])
    return [line.rstrip() for line in lines]


command = SectionCommand(
    "pools",
    callback=list_pools,
    help=(
        "List the proxy pools of the configuration; with a broker also how often the fleet has chosen from"
        " them, how many of their endpoints rest, and pools and definitions that only the broker knows."
        " Changes nothing."
    ),
    params=make_options(BROKER),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
