"""The settings that choose a proxy pool; a part of the table of options."""

from __future__ import annotations

from quarry.config.option import Option

_PROXIES = "Proxies"

PROXY_OPTIONS: tuple[Option, ...] = (
    # Secret: who mistakes one of them for the proxy's URL may put a password there.
    Option(
        "proxy.pool",
        "--proxy-pool",
        "POOL",
        "Pool of 'proxies:' whose endpoints the runs go through; none is no proxy",
        env="QUARRY_PROXY_POOL",
        section=_PROXIES,
        secret=True,
    ),
    Option(
        "proxy.strategy",
        "--proxy-strategy",
        "NAME",
        "Choose by round_robin, random or sticky, in place of the pool's own strategy",
        default="the pool's",
        env="QUARRY_PROXY_STRATEGY",
        section=_PROXIES,
        secret=True,
    ),
    Option(
        "proxy.sticky_key",
        "--proxy-sticky-key",
        "TEXT",
        "Key of every run of a sticky pool, in place of its job, domain or origin",
        env="QUARRY_PROXY_STICKY_KEY",
        section=_PROXIES,
        secret=True,
    ),
    Option(
        "proxy.domain",
        "--proxy-domain",
        "HOST",
        "Host that runs are taken to fetch from, in place of that of their job's url",
        env="QUARRY_PROXY_DOMAIN",
        section=_PROXIES,
        secret=True,
    ),
    Option(
        "proxy.origin",
        "--proxy-origin",
        "ORIGIN",
        "Origin that runs are taken to fetch from, http://HOST:PORT or https://HOST:PORT, likewise",
        env="QUARRY_PROXY_ORIGIN",
        section=_PROXIES,
        secret=True,
    ),
)
