"""The three sources of settings, each checked by itself: command line, environment, file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quarry.config.environment import put, read_environment
from quarry.config.file_source import read_file
from quarry.config.given import Given
from quarry.config.model import CommandValues, FileValues, check_values
from quarry.config.options import CONFIG_ENV, option_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SHOWN_CHARS = 60


@dataclass
class Gathered:
    """What all sources gave; the command line beats the environment, that beats the file.

    Attributes:
        values: By dotted key, those without fault.
        faulty: Keys given with a fault.
        problems: One line each.
        warnings: One line each.
        secret_variables: Names of the variables that passwords and secrets of the file come from.
    """

    values: dict[str, Given] = field(default_factory=dict)
    faulty: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    secret_variables: frozenset[str] = field(default=frozenset(), repr=False)


def gather(
    flags: Mapping[str, str], *, config: str | None, environment: Mapping[str, str], cwd: str
) -> Gathered:
    """Read and check all sources.

    Args:
        flags: Texts of the command line, by dotted key; ``true`` for a switch that was given.
        config: The configuration file; None looks into QUARRY_CONFIG.
        environment: All environment variables.
        cwd: The working directory.
    """
    gathered = Gathered()
    file = config or environment.get(CONFIG_ENV) or None
    if file is not None:
        found = read_file(file, environment, cwd)
        gathered = Gathered(
            found.values, found.faulty, found.problems, found.warnings, found.secret_variables
        )
    _add_environment(gathered, environment, cwd)
    _add_flags(gathered, flags, cwd)
    return gathered


def _add_environment(gathered: Gathered, environment: Mapping[str, str], cwd: str) -> None:
    raw, warnings = read_environment(environment)
    gathered.warnings += warnings
    _add(gathered, raw, cwd, FileValues, lambda key: option_of(key).env, show=False)


def _add_flags(gathered: Gathered, flags: Mapping[str, str], cwd: str) -> None:
    raw: dict[str, Any] = {}
    for key, value in flags.items():
        put(raw, key, value)
    _add(gathered, raw, cwd, CommandValues, lambda key: option_of(key).flag, show=True)


def _add(
    gathered: Gathered,
    raw: dict[str, Any],
    cwd: str,
    model: type[FileValues],
    name_of: Callable[[str], str],
    *,
    show: bool,
) -> None:
    found, faults = check_values(model, raw)
    for fault in faults:
        key = ".".join(fault.key)
        shown = f", not {_shown(_at(raw, fault.key))}" if show and not option_of(key).secret else ""
        gathered.faulty.add(key)
        gathered.problems.append(f"{name_of(key)}: {fault.problem}{shown}")
    for key, value in found.items():
        gathered.values[key] = Given(value, name_of(key), cwd)


def _at(raw: Any, key: tuple[str, ...]) -> str:
    for part in key:
        raw = raw[part]
    return str(raw)


def _shown(value: str) -> str:
    text = ascii(value) if not value.isprintable() else repr(value)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
