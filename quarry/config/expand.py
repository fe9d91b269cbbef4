"""``${VAR}`` in the texts of a configuration file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFERENCE = re.compile(
    r"\$(?:(?P<escaped>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<bad>\{))"
)


def variables_of(text: str) -> set[str]:
    """Name the variables that a text refers to, set or not."""
    return {match["name"] for match in _REFERENCE.finditer(text) if match["name"]}


def expand(text: str, environment: Mapping[str, str]) -> tuple[str, list[str]]:
    """Replace ``${VAR}`` and ``${VAR:-default}``; ``$$`` is one dollar sign, any other ``$`` stands.

    A default holds where the variable is not set or empty. What a variable holds is not expanded again.

    Args:
        text: As it stands in the file.
        environment: The variables.

    Returns:
        The text, and one problem for each reference that can't be replaced. No problem shows a value.
    """
    problems: list[str] = []

    def replace(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        if match["bad"]:
            problems.append("'${' starts a variable: write ${NAME} or ${NAME:-default}, or $${ for the text")
            return ""
        value = environment.get(match["name"])
        if match["default"] is not None:
            return value or match["default"]
        if value is None:
            problems.append(
                f"the variable {match['name']} is not set; set it, or write ${{{match['name']}:-default}}"
            )
            return ""
        return value

    return _REFERENCE.sub(replace, text), problems
