"""``quarry debug resolve proxy``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from quarry.cli.flags import SectionCommand, flags_of, make_options
from quarry.cli.on_broker import BROKER

if TYPE_CHECKING:
    from quarry.cli.styles import Styles
    from quarry.proxy import Circumstances, RecencyStore
    from quarry.types.proxy import ProxyPool
    from quarry.types.rotation import Ask, Choice

_MAX_COUNT = 10_000
_IN_MEMORY = "no broker: this is a rotation of this command's own, which begins anew and which nobody shares"


def debug_proxy(**values: Any) -> int:
    """Say which endpoints the next runs would get."""
    from quarry.cli.messages import say
    from quarry.cli.on_broker import ask_broker
    from quarry.cli.pool_choice import named_pool
    from quarry.cli.reading import load_reading, show
    from quarry.proxy import Circumstances
    from quarry.recency import MemoryRecency

    count, url = _check(values["count"], values["url"])
    settings = load_reading(flags_of(values), values["config"])
    pool = named_pool(settings, values["pool"], values["set_proxy_strategy"])
    asks = _asks(
        pool,
        Circumstances(
            job_key="",
            url=url,
            sticky_key=settings.proxy_sticky_key,
            domain=settings.proxy_domain,
            origin=settings.proxy_origin,
        ),
        count,
    )
    if settings.proxy_sticky_key is not None and pool.sticky is None:
        say(f"warning: the sticky key has no effect: pool {pool.name} is {pool.strategy}")
    commit = bool(values["commit"])
    if settings.broker is None:
        say(_IN_MEMORY)
        choices = asyncio.run(_answer(MemoryRecency(), pool, asks, commit=commit))
    else:
        choices = ask_broker(settings, lambda broker: _answer(broker.pools(), pool, asks, commit=commit))
    document = _document(pool, asks[0], choices, commit=commit, shared=settings.broker is not None)
    show(settings, document, lambda styles: _lines(document, styles))
    return 0


def _check(count_text: str | None, url: str | None) -> tuple[int, str | None]:
    """Check the command's own options.

    Raises:
        ConfigError: With every problem.
    """
    from quarry.config.values import integer_between
    from quarry.errors import ConfigError
    from quarry.proxy.strategies import Circumstances, domain_of

    problems, count = [], 1
    try:
        count = integer_between(1, _MAX_COUNT)(count_text or "1")
    except ValueError as error:
        problems.append(f"--count: {error}, not {count_text!r}")
    if url is not None and domain_of(Circumstances(job_key="", url=url)) is None:
        # Not repeated: it may hold a password.
        problems.append("--url: must be a URL such as https://shop.example.org/page.html")
    if problems:
        raise ConfigError(problems)
    return count, url


def _asks(pool: ProxyPool, circumstances: Circumstances, count: int) -> list[Ask]:
    """Make the questions of so many runs, each of a job of its own."""
    import dataclasses
    from random import SystemRandom

    from quarry.proxy import decide_ask
    from quarry.types import new_token

    throw = SystemRandom().getrandbits
    return [
        decide_ask(pool, dataclasses.replace(circumstances, job_key=new_token()), dice=throw(32))
        for _ in range(count)
    ]


async def _answer(store: RecencyStore, pool: ProxyPool, asks: list[Ask], *, commit: bool) -> list[Choice]:
    from quarry.types.rotation import ProxyReport

    if not commit:
        return await store.peek(pool, asks)
    await store.announce(pool)
    choices = []
    for ask in asks:
        choice = await store.choose(pool, ask)
        choices.append(choice)
        if choice.trial:  # nobody goes through it now: the next run may
            await store.report(pool, ProxyReport(index=choice.index, number=choice.number))
    return choices


def _document(
    pool: ProxyPool, ask: Ask, choices: list[Choice], *, commit: bool, shared: bool
) -> dict[str, Any]:
    from quarry.cli.pool_view import pool_document

    return {
        **pool_document(pool),
        "store": "broker" if shared else "memory",
        "committed": commit,
        # What the key is made of; a key that the user gave is not shown.
        "sticky_by": ask.sticky.split(" ", 1)[0] if ask.sticky is not None else None,
        "domain": ask.domain,
        "choices": [
            {
                "number": choice.number,
                "endpoint": pool.endpoints[choice.index].identity,
                "position": choice.index,
                "reason": choice.reason,
                "trial": choice.trial,
            }
            for choice in choices
        ],
    }


def _lines(document: dict[str, Any], styles: Styles) -> list[str]:
    from quarry.cli.pool_view import head_line
    from quarry.cli.record_view import table_lines
    from quarry.cli.visible import visible

    lines = [head_line(document, styles)]
    if document["store"] == "memory":
        lines.append("  in memory: without a broker each command has a rotation of its own")
    lines.append(
        "  committed: these choices are marked, as a run's would be"
        if document["committed"]
        else "  looked ahead: nothing is marked; --commit marks"
    )
    if document["strategy"] == "random":
        lines.append("  random: the dice were thrown for this command; each run throws its own")
    if document["sticky_by"] is not None:
        by = {"job": "its job: each of these is another one", "key": "--proxy-sticky-key"}
        lines.append(f"  a run's key is {by.get(document['sticky_by'], 'its ' + document['sticky_by'])}")
    if document["domain"] is not None:
        lines.append(f"  target {visible(document['domain'])}")
    rows = [
        (str(row["number"]), row["endpoint"], row["reason"], "trial" if row["trial"] else "")
        for row in document["choices"]
    ]
    lines += [line.rstrip() for line in table_lines(("number", "endpoint", "reason", ""), rows, styles)]
    return lines


command = SectionCommand(
    "proxy",
    callback=debug_proxy,
    help=(
        "Show which endpoints of a proxy pool the next runs would get, and why. Marks nothing, unless"
        " --commit says so. With a broker it is the fleet's rotation, else one in memory that begins anew."
    ),
    params=[
        click.Argument(["pool"], metavar="POOL"),
        click.Option(["--count"], metavar="N", help=f"How many choices, 1 to {_MAX_COUNT}.  [default: 1]"),
        click.Option(["--commit"], is_flag=True, default=None, help="Mark them, as runs would."),
        click.Option(["--url"], metavar="URL", help="URL of the runs' job.  [default: none]"),
        *make_options(("proxy.strategy", "proxy.sticky_key", "proxy.domain", "proxy.origin", *BROKER)),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
