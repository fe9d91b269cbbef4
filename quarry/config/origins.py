"""Hosts and origins that a user names in place of those of a job's URL. No message repeats what was given."""

from __future__ import annotations

from quarry.config.endpoints import check_host, check_port, check_url_host, split_address
from quarry.config.values import one_of

_SCHEMES = ("http", "https")


def check_domain(text: str) -> str:
    """Check a host; gives lower case, an IPv6 address without brackets."""
    try:
        return check_host(text)
    except ValueError:
        raise ValueError("must be a host such as shop.example.org, without protocol, port or path") from None


def check_origin(text: str) -> str:
    """Check an origin: ``http`` or ``https``, a host, and a port where it is not the scheme's own."""
    scheme, _, address = text.strip().removesuffix("/").partition("://")
    host_text, port_text = split_address(address)
    try:
        host = check_url_host(host_text)
        port = "" if port_text is None else f":{check_port(port_text)}"
        scheme = one_of(_SCHEMES)(scheme.lower())
    except ValueError:
        raise ValueError(
            "must be an origin such as https://shop.example.org or http://10.0.0.1:8080"
        ) from None
    return f"{scheme}://" + (f"[{host}]" if ":" in host else host) + port
