"""What a strategy asks of the store; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from quarry.types.rotation import KEEP_MS, Ask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quarry.types.proxy import ProxyPool, Sticky

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What a choice may depend on beside the pool.

    Attributes:
        job_key: The job's key.
        url: ``params.url`` of the job, where that is a text.
        sticky_key: Key of every run, where the command names one.
        domain: Stands for the URL's host, where the command names one.
        origin: Stands for the URL's origin, likewise.
    """

    job_key: str
    url: str | None = None
    sticky_key: str | None = None
    domain: str | None = None
    origin: str | None = None

    @classmethod
    def of(
        cls,
        job_key: str,
        params: Any,
        *,
        sticky_key: str | None = None,
        domain: str | None = None,
        origin: str | None = None,
    ) -> Circumstances:
        """Read them from a job's parameters."""
        url = params.get("url") if isinstance(params, dict) else None
        return cls(
            job_key=job_key,
            url=url if isinstance(url, str) else None,
            sticky_key=sticky_key,
            domain=domain,
            origin=origin,
        )


def decide_ask(
    pool: ProxyPool, circumstances: Circumstances, *, dice: int, given_up: Iterable[int] = ()
) -> Ask:
    """Make the question that the pool's strategy asks.

    Args:
        pool: The pool.
        circumstances: Of the run.
        dice: Whole number from 0 to 2**32 - 1, by chance.
        given_up: Positions that the run does not want again.
    """
    sticky = _sticky_key(pool.sticky, circumstances) if pool.sticky else None
    ttl_ms = pool.sticky.ttl_ms if pool.sticky else None
    return Ask(
        order="random" if pool.strategy == "random" else "next",
        window=pool.recency_window if pool.strategy == "random" else 0,
        sticky=sticky,
        sticky_ttl_ms=ttl_ms or KEEP_MS,
        exclude=tuple(sorted(set(given_up))),
        domain=domain_of(circumstances),
        dice=dice,
    )


def domain_of(circumstances: Circumstances) -> str | None:
    """Give the target's host in lower case; None where it is not known."""
    if circumstances.domain is not None:
        return circumstances.domain.lower()
    split = _split(circumstances.origin or circumstances.url)
    return split[1] if split else None


def _sticky_key(sticky: Sticky, circumstances: Circumstances) -> str:
    if circumstances.sticky_key is not None:
        return f"key {circumstances.sticky_key}"
    if sticky.scope == "domain" and (domain := domain_of(circumstances)):
        return f"domain {domain}"
    if sticky.scope == "origin" and (split := _split(circumstances.origin or circumstances.url)):
        scheme, host, port = split
        return f"origin {scheme}://{host}:{port}"
    return f"job {circumstances.job_key}"


def _split(url: str | None) -> tuple[str, str, int] | None:
    """Give scheme, host and port, the scheme's own where none is named (RFC 6454, section 4)."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a port that is none, half an IPv6 address
        return None
    if not parts.hostname or parts.scheme not in _DEFAULT_PORTS:
        return None
    return parts.scheme, parts.hostname, _DEFAULT_PORTS[parts.scheme] if port is None else port
