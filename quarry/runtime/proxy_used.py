"""What an executor says of its proxies, as it may be kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quarry.runtime.redact import Redactor
    from quarry.types.proxy import Endpoint

_PROTOCOL = re.compile(r"[a-z][a-z0-9+.-]{0,31}")
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
_MAX_PORT = 65_535
_MAX_USERNAME_CHARS = 1024
_IDENTITY = ("protocol", "host", "port", "username")


class GivenEndpoints:
    """The endpoints that a run was given, and what of an executor's words is about one of them.

    A foreign executor says what it likes, in any form; a password stands in each.

    Args:
        redactor: Learns their passwords.
        first: The endpoint that the run begins with; None where it has no pool.
    """

    def __init__(self, redactor: Redactor, first: Endpoint | None) -> None:
        self._redactor = redactor
        self._identities: list[dict[str, Any]] = []
        if first is not None:
            self.add(first)

    def add(self, endpoint: Endpoint) -> None:
        """Know one that the run gets now."""
        self._redactor.learn_endpoint(endpoint)
        self._identities.append(endpoint.public())

    def used(self, reported: dict[str, Any] | None) -> dict[str, Any] | None:
        """Give protocol, host, port and username of ``proxy_used``, what of them makes sense.

        Args:
            reported: As the executor sent it.

        Returns:
            None where nothing is left, and where it is none of the endpoints that the run was given.
        """
        told = _identity_of(reported or {})
        if self._identities:
            return next((identity for identity in self._identities if identity == told), None)
        sensible = {name: value for name, value in told.items() if _makes_sense(name, value)}
        return self._redactor.words(sensible) or None

    def uses(self, reported: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Give the entries of ``proxy_use`` that are about endpoints that the run was given."""
        return [entry for entry in reported if _identity_of(entry) in self._identities]


def _identity_of(reported: dict[str, Any]) -> dict[str, Any]:
    return {name: reported[name] for name in _IDENTITY if reported.get(name) is not None}


def _makes_sense(name: str, value: Any) -> bool:
    if name == "port":
        return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MAX_PORT
    if not isinstance(value, str):
        return False
    if name == "username":  # one with a colon is a user info, password and all
        return len(value) <= _MAX_USERNAME_CHARS and ":" not in value
    return bool((_PROTOCOL if name == "protocol" else _HOST).fullmatch(value))
