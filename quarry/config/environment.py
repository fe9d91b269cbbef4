"""Settings from ``QUARRY_*`` variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarry.config.job_secrets import SECRET_ENV_PREFIX
from quarry.config.options import OPTIONS, OTHER_ENV
from quarry.config.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "QUARRY_"


def read_environment(environment: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Read the variables that are settings.

    A variable that is set to nothing counts as not set.

    Args:
        environment: All variables.

    Returns:
        Nested mapping of texts, and one warning for each unknown ``QUARRY_*`` variable. No value is shown.
    """
    raw: dict[str, Any] = {}
    known = {option.env: option.key for option in OPTIONS if option.env}
    warnings = []
    for name, value in environment.items():
        if not name.startswith(PREFIX):
            continue
        if name in known:
            if value:
                put(raw, known[name], value)
        elif name not in OTHER_ENV and not name.startswith(SECRET_ENV_PREFIX):
            found = nearest(name, [*known, *sorted(OTHER_ENV)])
            hint = f"; did you mean {found}?" if found else "; Quarry doesn't read it"
            warnings.append(f"environment variable {name} is not known{hint}")
    return raw, sorted(warnings)


def put(raw: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key in a nested mapping."""
    *parents, last = key.split(".")
    for parent in parents:
        raw = raw.setdefault(parent, {})
    raw[last] = value
