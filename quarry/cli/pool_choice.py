"""The pools of a command that looks at them: as the configuration defines them, and as its runs use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarry.cli.reading import NotFoundError
from quarry.config.keys import is_showable
from quarry.config.pool_strategy import with_strategy
from quarry.config.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quarry.config.settings import Settings
    from quarry.types.proxy import ProxyPool

_SHOWN_NAMES = 20


def used_pool(settings: Settings, name: str) -> ProxyPool:
    """Give a pool with the strategy that the settings give its runs."""
    pool = settings.proxies[name]
    return with_strategy(pool, settings.proxy_strategy) if name == settings.proxy_pool else pool


def named_pool(settings: Settings, name: str, strategy: str | None) -> ProxyPool:
    """Give the pool that an argument names.

    Args:
        settings: Of the command.
        name: The argument.
        strategy: What ``--proxy-strategy`` says; None takes what the pool's runs have.

    Raises:
        NotFoundError: The configuration has no such pool.
    """
    if name not in settings.proxies:
        raise NotFoundError(_unknown(name, settings))
    if strategy is not None:
        return with_strategy(settings.proxies[name], settings.proxy_strategy)
    return used_pool(settings, name)


def _unknown(name: str, settings: Settings) -> str:
    if settings.config is None:
        return "there are no proxy pools: no configuration file is named; name theirs with --config"
    # What is mistaken for a pool's name may be a proxy's URL, with its password.
    named = f" {name!r}" if is_showable(name) else " of that name"
    return (
        f"there is no proxy pool{named} under 'proxies:' of {settings.config}{_hint(name, settings.proxies)}"
    )


def _hint(name: str, known: Iterable[str]) -> str:
    names = list(known)
    if not names:
        return "; it has none"
    found = nearest(name, names)
    if found is not None:
        return f"; did you mean {found}?"
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return f"; known: {', '.join(names[:_SHOWN_NAMES])}{more}"
