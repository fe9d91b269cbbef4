"""What the commands share that look at a broker, or change something on it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from quarry.cli.reading import NotFoundError
from quarry.errors import ConfigError, LedgerMissingError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from quarry.config.settings import Settings
    from quarry.engine.broker import Broker

BROKER = ("broker", "output.format", "output.no_color")
"""Settings of every command that talks to a broker."""


def ask_broker(settings: Settings, question: Callable[[Broker], Awaitable[Any]]) -> Any:
    """Open the broker of the settings, check it, and ask it something.

    Args:
        settings: With a broker.
        question: What to ask, or to do.

    Returns:
        Its answer.

    Raises:
        ConfigError: No broker is named, or it can't be used.
        NotFoundError: The crawl that was asked for is not there.
    """
    if settings.broker is None:
        raise ConfigError("no broker: name one with --broker redis://HOST:PORT/DB, or set QUARRY_BROKER")
    url = settings.broker

    async def ask() -> Any:
        from quarry.engine.broker import Broker

        async with Broker(url) as broker:
            await broker.check()
            return await question(broker)

    try:
        return asyncio.run(ask())
    except LedgerMissingError as error:
        raise NotFoundError(error.message) from error


def check_crawl_id(crawl: str) -> str:
    """Check a crawl id that was given as an argument.

    Raises:
        ConfigError: It can't be one.
    """
    from quarry.types import is_safe_segment

    if not is_safe_segment(crawl):
        raise ConfigError(
            f"crawl {crawl!r}: an id has letters, digits and . _ - : @ + = ~, at most 200, and no '-' in"
            " front"
        )
    return crawl
