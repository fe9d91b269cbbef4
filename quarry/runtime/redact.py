"""Passwords reach the executor alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from quarry.runtime.hidden_text import HiddenText
from quarry.types.proxy import PROTOCOLS
from quarry.types.secret import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from quarry.types import Outcome, Secret
    from quarry.types.proxy import Endpoint

ELLIPSIS = "…"
"""Stands where executors cut a text off."""

_NO_WORDS = frozenset({"status", "level"})
_USER_INFO = re.compile(r"(?<=://)[^\s/?#'\"<>]+@")
_ADDRESS = re.compile(r"(?:\[[0-9a-f:.]{1,45}\]|[a-z0-9._-]{1,255}):\d{1,5}(?!\d)")
_SCHEMES = tuple(f"{protocol}://" for protocol in PROTOCOLS)
_PASSWORD_CHARS = 4
"""A shorter password stands in other texts by chance: it is struck out behind its username only."""
_NAME = r"[^\s=&#?'\"<>]{0,64}"
"""Bounded: a long name that is tried at each of its letters would take the square of its length."""
_TELLING = r"(?:pass(?:word|wd)|secret|token|signature|credential|api_?key|access_?key)"
_PARAMETER = re.compile(rf"([?&]{_NAME}{_TELLING}{_NAME}=)[^\s&#'\"<>]+", re.IGNORECASE)


class Redactor:
    """Strikes a run's secrets out of what is kept of it.

    Args:
        secrets: Resolved for the run's job.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._hidden: dict[str, HiddenText] = {}
        self._identities: frozenset[str] = frozenset()
        for secret in secrets:
            self._learn(secret.reveal())

    def learn_endpoint(self, endpoint: Endpoint | None) -> None:
        """Know from now on an endpoint's password, which is struck out, and its identity, which stays."""
        if endpoint is None or endpoint.password is None:
            return
        # Never changed in place: the thread that stores reads it meanwhile.
        self._identities |= {endpoint.identity}
        password = endpoint.password.reveal()
        if len(password) >= _PASSWORD_CHARS:
            self._learn(password)
        if password:
            self._learn(f"{endpoint.username}:{password}")

    def learn_all(self, other: Redactor) -> None:
        """Know from now on what another one knows."""
        self._hidden = {**self._hidden, **other._hidden}
        self._identities |= other._identities

    def text(self, text: str, *, cut: bool = False) -> str:
        """Give a text without the run's secrets, nor those of URLs in it.

        Args:
            text: The text; an ellipsis at its start or end says that something was cut off there.
            cut: Its start was cut off without a word.
        """
        start, end = text[:1] == ELLIPSIS, text[-1:] == ELLIPSIS
        for _, hidden in sorted(self._hidden.items(), key=lambda item: len(item[0]), reverse=True):
            text = hidden.strike(text)
            if start or end:
                inner = text[start : len(text) - end]
                inner = hidden.strike_ends(inner, start=start, end=end)
                text = f"{ELLIPSIS * start}{inner}{ELLIPSIS * end}"
            elif cut:
                text = hidden.strike_ends(text, start=True, end=False)
        return redact_urls(text, self._identities)

    def words(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Give what was said, as an event or a result has it, without them; status and level are no words."""
        return {name: value if name in _NO_WORDS else self._value(value) for name, value in fields.items()}

    def outcome(self, outcome: Outcome) -> Outcome:
        """Give an outcome as logs, records and reports may show it."""
        return msgspec.structs.replace(
            outcome,
            message=self.text(outcome.message),
            error_type=outcome.error_type and self.text(outcome.error_type),
            stack=outcome.stack and self.text(outcome.stack),
        )

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self._value(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._value(inner) for inner in value]
        return value

    def _learn(self, value: str) -> None:
        if value and value not in self._hidden:
            # As above.
            self._hidden = {**self._hidden, value: HiddenText(value)}


def redact_urls(text: str, identities: Collection[str] = ()) -> str:
    """Give a text without the secrets of the URLs in it.

    Those are the user info, all of it (a lone user may be a token), and query parameters whose names say so.

    Args:
        text: The text.
        identities: Of endpoints; their users are known to be no tokens.
    """

    def user_info(match: re.Match[str]) -> str:
        address = _ADDRESS.match(text, match.end()) if identities else None
        if address is not None:
            for scheme in _SCHEMES:
                known = f"{scheme}{match[0]}{address[0]}" in identities
                if known and text.endswith(scheme, 0, match.start()):
                    return match[0]
        return f"{HIDDEN}@"

    return _PARAMETER.sub(rf"\1{HIDDEN}", _USER_INFO.sub(user_info, text))
