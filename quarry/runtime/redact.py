"""Passwords reach the executor alone."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import msgspec

from quarry.types.secret import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quarry.types import Outcome, Secret
    from quarry.types.proxy import Endpoint

_SECRETS = frozenset({"password", "pass", "secret"})
_USER_INFO = re.compile(r"(?<=://)[^\s/?#'\"<>]+@")
_NAME = r"[^\s=&#?'\"<>]{0,64}"
"""Bounded: a long name that is tried at each of its letters would take the square of its length."""
_TELLING = r"(?:pass(?:word|wd)|secret|token|signature|credential|api_?key|access_?key)"
_PARAMETER = re.compile(rf"([?&]{_NAME}{_TELLING}{_NAME}=)[^\s&#'\"<>]+", re.IGNORECASE)


def redact_proxy(proxy: dict[str, Any] | None) -> dict[str, Any] | None:
    """Give a proxy as it may be shown: without its password."""
    if proxy is None:
        return None
    return {key: value for key, value in proxy.items() if key.lower() not in _SECRETS}


class Redactor:
    """Strikes a run's secrets out of what is kept of it.

    Each is known in the forms in which programs print it: as it is, percent-encoded, base64 of it, and, of a
    proxy's password, the base64 of ``user:password`` as in a Proxy-Authorization header.

    Args:
        secrets: Resolved for the run's job.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._forms: set[str] = set()
        for secret in secrets:
            self._learn(secret.reveal())

    def learn_endpoint(self, endpoint: Endpoint | None) -> None:
        """Know an endpoint's password from now on."""
        if endpoint is None or endpoint.password is None:
            return
        password = endpoint.password.reveal()
        self._learn(password)
        self._learn(f"{endpoint.username}:{password}")

    def text(self, text: str) -> str:
        """Give a text without the run's secrets, nor those of URLs in it."""
        for form in sorted(self._forms, key=len, reverse=True):
            text = text.replace(form, HIDDEN)
        return redact_urls(text)

    def outcome(self, outcome: Outcome) -> Outcome:
        """Give an outcome as logs, records and reports may show it."""
        return msgspec.structs.replace(
            outcome,
            message=self.text(outcome.message),
            stack=outcome.stack and self.text(outcome.stack),
        )

    def _learn(self, value: str) -> None:
        if value:
            coded = base64.b64encode(value.encode()).decode()
            self._forms |= {value, quote(value, safe=""), quote_plus(value), coded, coded.rstrip("=")}


def redact_urls(text: str) -> str:
    """Give a text without the secrets of the URLs in it.

    Those are the user info, all of it (a lone user may be a token), and query parameters whose names say so.
    """
    return _PARAMETER.sub(rf"\1{HIDDEN}", _USER_INFO.sub(f"{HIDDEN}@", text))
