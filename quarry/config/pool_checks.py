"""What must hold between pools, scripts and the command's choice of a pool."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from quarry.config.given import absolute
from quarry.config.keys import KeyProblem, is_showable
from quarry.config.pools import NO_POOL, FoundPools
from quarry.config.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from quarry.config.given import GivenValues
    from quarry.config.model import ScriptValues
    from quarry.config.settings import ScriptEntry, Settings
    from quarry.types.proxy import Endpoint, ProxyPool

_OF_EVERY_RUN = ("proxy.sticky_key", "proxy.domain", "proxy.origin")
_BROWSER = "browser"


def script_problems(
    scripts: Mapping[str, ScriptValues], found: FoundPools, *, base: str
) -> Iterator[KeyProblem]:
    """Give the problems of the pools that ``scripts:`` names.

    Args:
        scripts: By logical name.
        found: The pools.
        base: Folder that paths of scripts belong to.
    """
    yield from _inherited_problems(scripts, found)
    yield from _path_problems(scripts, base)
    for name, entry in scripts.items():
        if entry.proxy in {None, NO_POOL, *found.faulty}:
            continue
        key = ("scripts", name, "proxy")
        pool = found.pools.get(entry.proxy or "")
        if pool is None:
            yield KeyProblem(key, _unknown(entry.proxy or "", [*found.pools, *sorted(found.faulty)]))
        elif entry.profile == _BROWSER and (endpoint := _locked_socks(pool)) is not None:
            yield KeyProblem(
                key,
                f"a browser can't use pool {pool.name}: {_why(endpoint)}; give the script a pool of others,"
                f" or {NO_POOL}",
            )


def command_problems(values: GivenValues, settings: Settings) -> Iterator[str]:
    """Give the problems of the pool that the command chooses, and of what it says of it."""
    yield from _lonely_problems(values, settings)
    name = settings.proxy_pool
    if name is None or values.is_faulty("proxies") or values.is_faulty(f"proxies.{name}"):
        return
    place = values.place("proxy.pool")
    pool = settings.proxies.get(name)
    if pool is None:
        yield f"{place}: {_unknown(name, settings.proxies)}"
    elif (endpoint := _locked_socks(pool)) is not None:
        for script in _inheriting_browsers(settings.scripts):
            yield f"{place}: {_browser_problem(pool, endpoint, script)}"


def root_problems(settings: Settings, names: Iterable[str]) -> Iterator[str]:
    """Give the problems of pools that roots bring along, beside the command's."""
    for name in sorted(set(names) - {settings.proxy_pool}):
        pool = settings.proxies[name]
        if (endpoint := _locked_socks(pool)) is not None:
            for script in _inheriting_browsers(settings.scripts):
                yield f"jobs to retry: {_browser_problem(pool, endpoint, script)}"


def command_warnings(values: GivenValues, settings: Settings) -> Iterator[str]:
    """Give what the command says of its pool without effect."""
    pool = settings.proxies.get(settings.proxy_pool or "")
    if pool is None or settings.proxy_sticky_key is None:
        return
    strategy = settings.proxy_strategy or pool.strategy
    if strategy != "sticky" and not _any_script_pool(settings):
        yield (
            f"{values.place('proxy.sticky_key')} has no effect: pool {pool.name} is {strategy};"
            " --proxy-strategy sticky makes it sticky"
        )


def _inherited_problems(scripts: Mapping[str, ScriptValues], found: FoundPools) -> Iterator[KeyProblem]:
    """Refuse a browser that could get a pool from any other script: who enqueues it is known too late."""
    for name in _inheriting_browsers(scripts):
        for giver, entry in scripts.items():
            pool = found.pools.get(entry.proxy or "")
            if pool is not None and (endpoint := _locked_socks(pool)) is not None:
                yield KeyProblem(
                    ("scripts", name),
                    f"a browser can't use pool {pool.name}: {_why(endpoint)}; what script {giver}"
                    f" enqueues inherits it: name a pool of others, or {NO_POOL} (scripts.{name}.proxy)",
                )
                break


def _path_problems(scripts: Mapping[str, ScriptValues], base: str) -> Iterator[KeyProblem]:
    """Refuse entries of one script that differ in its pool: named by its path it must have one."""
    first: dict[str, str] = {}
    for name, entry in scripts.items():
        other = first.setdefault(os.path.realpath(absolute(base, entry.path)), name)
        if scripts[other].proxy != entry.proxy:
            key = ("scripts", name) if entry.proxy is None else ("scripts", name, "proxy")
            yield KeyProblem(
                key,
                f"is the same file as script {other}, with another pool; give both one, or make it two files",
            )


def _inheriting_browsers(scripts: Mapping[str, ScriptValues] | Mapping[str, ScriptEntry]) -> list[str]:
    return [name for name, entry in scripts.items() if entry.profile == _BROWSER and entry.proxy is None]


def _browser_problem(pool: ProxyPool, endpoint: Endpoint, script: str) -> str:
    return (
        f"a browser can't use pool {pool.name}: {_why(endpoint)}; script {script} needs"
        f" a browser: give it a pool of others, or {NO_POOL} (scripts.{script}.proxy)"
    )


def _lonely_problems(values: GivenValues, settings: Settings) -> Iterator[str]:
    """Give a problem for each option that is about a pool where there is none."""
    if settings.proxy_pool is not None or values.is_faulty("proxy.pool"):
        return
    keys = ["proxy.strategy"] if _any_script_pool(settings) else ["proxy.strategy", *_OF_EVERY_RUN]
    for key in keys:
        # 'none' on the command line turns off the pool of file or variable, with all that they say of it.
        if key in values and ("proxy.pool" not in values or values.place(key).startswith("--")):
            yield f"{values.place(key)}: needs a pool; name one with --proxy-pool, or leave it out"


def _any_script_pool(settings: Settings) -> bool:
    return any(entry.proxy not in {None, NO_POOL} for entry in settings.scripts.values())


def _unknown(name: str, pools: Iterable[str]) -> str:
    # The name is not repeated: it may be the value of a variable.
    known = [pool for pool in pools if is_showable(pool)]
    hint = did_you_mean(name, known) if known else "; define it in the configuration file (--config)"
    return f"there is no pool of that name under 'proxies:'{hint}"


def _locked_socks(pool: ProxyPool) -> Endpoint | None:
    return next((e for e in pool.endpoints if e.protocol == "socks5" and e.password is not None), None)


def _why(endpoint: Endpoint) -> str:
    return f"Chromium can't authenticate at a SOCKS5 proxy, and {endpoint.identity} asks for a password"
