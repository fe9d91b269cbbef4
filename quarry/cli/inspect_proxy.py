"""``quarry inspect proxy``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from quarry.cli.flags import SectionCommand, flags_of, make_options
from quarry.cli.on_broker import BROKER

if TYPE_CHECKING:
    from quarry.cli.styles import Styles
    from quarry.engine.broker import Broker
    from quarry.types.proxy import ProxyPool

_DEFAULT_LIMIT = 50
_MAYBE = ("mean_latency_ms", "last_used_at", "resting_until")


def inspect_proxy(**values: Any) -> int:
    """Show a pool."""
    from quarry.cli.on_broker import ask_broker
    from quarry.cli.pool_choice import named_pool
    from quarry.cli.reading import check_limit, load_reading, show
    from quarry.errors import ConfigError

    limit = check_limit("--limit", values["limit"], default=_DEFAULT_LIMIT)
    settings = load_reading(flags_of(values), values["config"])
    pool = named_pool(settings, values["pool"], values["set_proxy_strategy"])
    if settings.broker is None:
        raise ConfigError(
            "no broker: a pool's figures are in the Redis of a fleet, and a command without one keeps none;"
            " name it with --broker redis://HOST:PORT/DB, or set QUARRY_BROKER"
        )
    document = ask_broker(settings, lambda broker: _ask(broker, pool, limit))
    show(settings, document, lambda styles: _lines(document, styles))
    return 0


async def _ask(broker: Broker, pool: ProxyPool, limit: int | None) -> dict[str, Any]:
    from dataclasses import asdict

    from quarry.cli import pool_view

    store = broker.pools()
    figures = await store.figures(pool)
    others = [
        pool_view.definition_document(definition, await store.totals(definition))
        for definition in await store.definitions()
        if definition.name == pool.name and definition.digest != pool.digest
    ]
    shown = pool_view.choose_endpoints(pool, figures, limit)
    return {
        **pool_view.pool_document(pool),
        "health": asdict(pool.health),
        **pool_view.use_document(figures),
        "window_fill": figures.window_fill if pool.recency_window else None,
        "states": pool_view.states_document(pool, figures),
        "others": others,
        "endpoints": [pool_view.endpoint_document(pool, figures, at) for at in shown],
        "omitted": len(pool.endpoints) - len(shown),
    }


def _lines(document: dict[str, Any], styles: Styles) -> list[str]:
    from quarry.cli.pool_view import head_line, other_lines
    from quarry.cli.record_view import table_lines

    lines = [head_line(document, styles)]
    used = f"last used {document['last_used_at']}" if document["choices"] else "never used"
    lines.append(f"  choices {document['choices']}, {used}")
    if document["window_fill"] is not None:
        lines.append(
            f"  recency window {document['recency_window']}: {document['window_fill']} endpoints within it"
        )
    lines.append("  endpoints: " + ", ".join(f"{state} {n}" for state, n in document["states"].items()))
    if not document["health"]["enabled"]:
        lines.append("  health is off: failures are counted, and nothing rests")
    lines += other_lines(document["others"])
    header = (
        "endpoint",
        "state",
        "chosen",
        "carried",
        "failed",
        "mean ms",
        "last used",
        "resting until",
        "banned for",
    )
    rows = [
        (
            row["endpoint"],
            row["state"],
            str(row["chosen"]),
            str(row["ok"]),
            str(row["failed"]),
            *("-" if row[name] is None else str(row[name]) for name in _MAYBE),
            ", ".join(f"{domain} until {until}" for domain, until in row["banned"].items()),
        )
        for row in document["endpoints"]
    ]
    lines += [line.rstrip() for line in table_lines(header, rows, styles)]
    if document["omitted"]:
        lines.append(f"and {document['omitted']} more endpoints; --limit 0 shows all")
    return lines


command = SectionCommand(
    "proxy",
    callback=inspect_proxy,
    help=(
        "Show a proxy pool as the fleet uses it: of each endpoint how often it was chosen, what it carried,"
        " how often it failed, and until when it rests. Those that rest or fail come first. Changes nothing."
    ),
    params=[
        click.Argument(["pool"], metavar="POOL"),
        click.Option(
            ["--limit"],
            metavar="N",
            help=f"Show at most N endpoints; 0 shows all.  [default: {_DEFAULT_LIMIT}]",
        ),
        *make_options(("proxy.strategy", *BROKER)),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
