"""Secrets that jobs name: ``secrets:`` of the file, and ``QUARRY_SECRET_NAME`` of the environment."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from quarry.config.keys import KeyProblem
from quarry.types.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET_ENV_PREFIX = "QUARRY_SECRET_"  # noqa: S105 - the beginning of variables' names
MAX_SECRET_CHARS = 65_536
MIN_SECRET_CHARS = 4
"""A shorter one stands in other texts by chance, and equals parameters that are no secret."""

NAME_RULE = "a secret's name must be letters, digits and _, and not begin with a digit"

_REFERENCE = "$secret"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_secret_name(text: str) -> bool:
    """Say whether a secret may have this name."""
    return _NAME.fullmatch(text) is not None


def reference_problem(value: dict[str, Any]) -> str | None:
    """Say what is wrong with an object of a job as a reference to a secret; None where it is none, or good.

    What stands there is not repeated: it may be the secret itself.
    """
    if _REFERENCE not in value:
        return None
    name = value[_REFERENCE]
    if len(value) > 1 or not isinstance(name, str):
        return f'has a "{_REFERENCE}" that is no reference: {{"{_REFERENCE}": "NAME"}} stands for a secret'
    return None if is_secret_name(name) else f'has a "{_REFERENCE}" of a wrong name: {NAME_RULE}'


def secret_of(name: str, environment: Mapping[str, str], secrets: Mapping[str, Secret]) -> Secret | None:
    """Look a secret up; a variable that is set to nothing counts as not set.

    Args:
        name: As a job names it.
        environment: All variables; they beat the configuration.
        secrets: Of the configuration.

    Returns:
        The secret, or None where there is none of that name; one that is not UTF-8, or too short, is none.
    """
    if not is_secret_name(name):
        return None
    value = environment.get(SECRET_ENV_PREFIX + name)
    if value:
        return Secret(value) if _problem(value) is None else None
    return secrets.get(name)


def read_secrets(raw: Any) -> tuple[dict[str, Secret], list[KeyProblem]]:
    """Read ``secrets:``.

    Returns:
        Those without fault, by name, and the problems. They name neither name nor value: one may stand in the
        other's place.
    """
    if not isinstance(raw, dict):
        return {}, [KeyProblem(("secrets",), "must be a mapping of names to texts")]
    found: dict[str, Secret] = {}
    problems = []
    for name, value in raw.items():
        if not is_secret_name(name):
            text = "a name must be letters, digits and _, and not begin with a digit"
            problems.append(KeyProblem(("secrets", name), text))
        elif isinstance(value, Secret):
            if (problem := _problem(value.reveal())) is not None:
                problems.append(KeyProblem(("secrets", name), problem))
            else:
                found[name] = value
    return found, problems


def _problem(text: str) -> str | None:
    if not text:
        return "a secret must not be empty; leave it out, or give it"
    if len(text) < MIN_SECRET_CHARS:
        return f"a secret must have at least {MIN_SECRET_CHARS} characters: a shorter one can't be struck out"
    if len(text) > MAX_SECRET_CHARS:
        return f"a secret must not be longer than {MAX_SECRET_CHARS} characters"
    if any(unicodedata.category(c) == "Cs" for c in text):
        return "a secret must hold no bytes that are not UTF-8"
    return None
