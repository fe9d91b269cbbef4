"""Endpoints as the wire gives them and as clients need them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quarry.types.proxy import Endpoint


def endpoint_of(proxy: Mapping[str, Any]) -> Endpoint:
    """Read the ``proxy`` object of a request or of an answer to ``rotate_proxy``.

    Args:
        proxy: protocol, host, port, [username, password]; checked before.
    """
    from quarry.types.proxy import Endpoint
    from quarry.types.secret import Secret

    password = proxy.get("password")
    return Endpoint(
        protocol=str(proxy["protocol"]),
        host=str(proxy["host"]).strip("[]").lower(),
        port=int(proxy["port"]),
        username=proxy.get("username"),
        password=None if password is None else Secret(password),
    )


def proxy_address(endpoint: Endpoint) -> str:
    """Give ``scheme://host:port`` without credentials; SOCKS5 resolves names at the proxy."""
    scheme = "socks5h" if endpoint.protocol == "socks5" else endpoint.protocol
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"{scheme}://{host}:{endpoint.port}"
