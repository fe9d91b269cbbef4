"""Proxy pools as values: endpoints, strategy, health. What a user may write is checked in `quarry.config`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quarry.types.secret import Secret

PROTOCOLS = ("http", "https", "socks5")
STRATEGIES = ("round_robin", "random", "sticky")
STICKY_SCOPES = ("job", "domain", "origin")
MAX_ENDPOINTS = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One proxy.

    Attributes:
        protocol: ``http``, ``https`` or ``socks5``.
        host: Name or address; IPv6 without brackets; lower case.
        port: 1 to 65535.
        username: With a password, or None.
        password: With a username, or None.
    """

    protocol: str
    host: str
    port: int
    username: str | None = None
    password: Secret | None = None

    @property
    def identity(self) -> str:
        """Name the endpoint wherever it is shown: protocol, host, port, username; never the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.username}@" if self.username is not None else ""
        return f"{self.protocol}://{user}{host}:{self.port}"

    def public(self) -> dict[str, Any]:
        """Give it as an object without the password."""
        shown = {"protocol": self.protocol, "host": self.host, "port": self.port}
        return {**shown, "username": self.username} if self.username is not None else shown


@dataclass(frozen=True, kw_only=True, slots=True)
class Sticky:
    """How long which key keeps its endpoint.

    Attributes:
        scope: ``job``, ``domain`` or ``origin``.
        ttl_ms: Milliseconds since the last use after which a key is forgotten; None is `KEEP_MS`.
    """

    scope: str = "job"
    ttl_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """When an endpoint rests.

    Attributes:
        enabled: False only counts.
        failures: So many failures within `window_ms` make it rest.
        window_ms: Milliseconds.
        rest_ms: First rest; each that follows a failed trial is twice the one before.
        max_rest_ms: Longest rest.
        trial_ms: How long one trial may be without its result before there is another.
        ban_ms: First rest for one domain after a reported ban; it grows likewise.
    """

    enabled: bool = True
    failures: int = 3
    window_ms: int = 60_000
    rest_ms: int = 30_000
    max_rest_ms: int = 1_800_000
    trial_ms: int = 60_000
    ban_ms: int = 300_000


@dataclass(frozen=True, kw_only=True)
class ProxyPool:
    """Endpoints and how one of them is chosen.

    Attributes:
        name: Of the configuration.
        strategy: ``round_robin``, ``random`` or ``sticky``.
        endpoints: At least one; no two of one `identity`. Their order counts.
        sticky: Set exactly where the strategy is ``sticky``.
        recency_window: Of ``random``: as many choices back an endpoint is left out; 0 is none.
        health: When endpoints rest.
    """

    name: str
    strategy: str
    endpoints: tuple[Endpoint, ...]
    sticky: Sticky | None = None
    recency_window: int = 0
    health: Health = field(default_factory=Health)

    @cached_property
    def digest(self) -> str:
        """Tell two definitions apart: 16 hexadecimal digits over everything but passwords.

        The first 64 bits of the SHA-256 of a JSON text: the state of a pool is positions in its list, so two
        lists, or two orders of one, must never share it.
        """
        told = [
            self.strategy,
            [endpoint.identity for endpoint in self.endpoints],
            [self.sticky.scope, self.sticky.ttl_ms] if self.sticky else None,
            self.recency_window,
        ]
        text = json.dumps(told, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def positions(self) -> dict[str, int]:
        """Give the position of each endpoint, by its identity."""
        return {endpoint.identity: at for at, endpoint in enumerate(self.endpoints)}
