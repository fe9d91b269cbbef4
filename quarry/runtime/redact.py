"""Passwords reach the executor alone."""

from __future__ import annotations

from typing import Any

_STARS = "***"
_SECRETS = frozenset({"password", "pass", "secret"})


def redact_proxy(proxy: dict[str, Any] | None) -> dict[str, Any] | None:
    """Give a proxy as it may be shown: without its password."""
    if proxy is None:
        return None
    return {key: value for key, value in proxy.items() if key.lower() not in _SECRETS}


def redact_text(text: str, proxy: dict[str, Any] | None) -> str:
    """Give what a run printed with the password of its proxy replaced."""
    password = (proxy or {}).get("password")
    if isinstance(password, str) and password:
        return text.replace(password, _STARS)
    return text
