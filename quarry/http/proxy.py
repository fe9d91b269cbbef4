"""The proxy of a run, as the client needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class ProxyAddress:
    """One resolved endpoint.

    Attributes:
        protocol: ``http``, ``https`` or ``socks5``.
        host: Name or address; IPv6 without brackets.
        port: 1 to 65535.
        username: With a password, or None.
        password: Never shown: ``repr`` leaves it out.
    """

    protocol: str
    host: str
    port: int
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        """Show everything but the password."""
        return f"ProxyAddress({self.public()})"

    @classmethod
    def of(cls, proxy: Mapping[str, Any]) -> ProxyAddress:
        """Read the ``proxy`` object of a run request, which was checked before."""
        return cls(
            protocol=str(proxy["protocol"]),
            host=str(proxy["host"]).strip("[]"),
            port=int(proxy["port"]),
            username=proxy.get("username"),
            password=proxy.get("password"),
        )

    @property
    def address(self) -> str:
        """``scheme://host:port`` without credentials; SOCKS5 resolves names at the proxy."""
        scheme = "socks5h" if self.protocol == "socks5" else self.protocol
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"

    def public(self) -> dict[str, Any]:
        """Give the object of ``run_result.proxy_used``: everything but the password."""
        shown = {"protocol": self.protocol, "host": self.host, "port": self.port}
        return {**shown, "username": self.username} if self.username is not None else shown
