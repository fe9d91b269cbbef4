"""Secrets that a job names: ``{"$secret": "NAME"}`` anywhere in its parameters. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from quarry.types import Secret

REFERENCE = "$secret"


def find_references(value: Any) -> list[str]:
    """List the names of the secrets that a JSON value refers to, sorted, each once."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if (name := _name_of(part)) is not None:
            found.add(name)
        elif isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return sorted(found)


def resolve(value: Any, secrets: Mapping[str, Secret]) -> Any:
    """Give a JSON value with the secrets' texts in place of the references to them.

    Args:
        value: The job's parameters; they stay as they are.
        secrets: By name; every reference has its own.
    """

    def change(part: Any) -> Any:
        name = _name_of(part)
        return _UNCHANGED if name is None else secrets[name].reveal()

    return _changed(value, change)


def conceal(value: Any, secrets: Mapping[str, Secret]) -> Any:
    """Give a JSON value with references in place of the texts that equal a secret.

    Args:
        value: What a script made, perhaps of its parameters.
        secrets: By name.
    """
    names = {secret.reveal(): name for name, secret in sorted(secrets.items(), reverse=True)}

    def change(part: Any) -> Any:
        if isinstance(part, str) and part in names:
            return {REFERENCE: names[part]}
        return _UNCHANGED

    return _changed(value, change)


_UNCHANGED = object()


def _name_of(part: Any) -> str | None:
    if isinstance(part, dict) and len(part) == 1 and isinstance(part.get(REFERENCE), str):
        name: str = part[REFERENCE]
        return name
    return None


def _changed(part: Any, change: Callable[[Any], Any]) -> Any:
    found = change(part)
    if found is not _UNCHANGED:
        return found
    if isinstance(part, dict):
        return {key: _changed(inner, change) for key, inner in part.items()}
    if isinstance(part, list):
        return [_changed(inner, change) for inner in part]
    return part
