"""The three sources of settings, each checked by itself: command line, environment, file."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quarry.config.environment import put, read_environment
from quarry.config.file import read_document
from quarry.config.given import Given
from quarry.config.model import CommandValues, Fault, FileValues, check_values
from quarry.config.options import CONFIG_ENV, OPTIONS, option_of
from quarry.config.suggest import nearest
from quarry.errors import ConfigError

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
    """

    values: dict[str, Given] = field(default_factory=dict)
    faulty: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


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
    _add_file(gathered, config or environment.get(CONFIG_ENV) or None, environment, cwd)
    _add_environment(gathered, environment, cwd)
    _add_flags(gathered, flags, cwd)
    return gathered


def _add_file(gathered: Gathered, config: str | None, environment: Mapping[str, str], cwd: str) -> None:
    if config is None:
        return
    try:
        document = read_document(os.path.join(cwd, config), environment)
    except ConfigError as error:
        gathered.problems += [p.replace(os.path.join(cwd, config), config) for p in error.problems]
        return
    found, faults = check_values(FileValues, document.raw)
    broken = {".".join(key) for key in document.broken}
    gathered.faulty |= broken
    problems = list(document.problems)
    for fault in faults:
        name = ".".join(fault.key)
        line = next((document.lines[k] for k in _prefixes(fault.key) if k in document.lines), 1)
        gathered.faulty.add(name)
        if name not in broken:
            problems.append((line, f"{name}: {fault.problem}{_hint(fault)}"))
    gathered.problems += [f"{config}:{line}: {text}" for line, text in sorted(problems)]
    base = os.path.dirname(os.path.join(cwd, config))
    for key, value in found.items():
        line = document.lines.get(tuple(key.split(".")), document.lines.get((key.split(".")[0],), 1))
        gathered.values[key] = Given(value, f"{config}:{line}: {key}", base)


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


def _prefixes(key: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [key[:length] for length in range(len(key), 0, -1)]


def _hint(fault: Fault) -> str:
    if not fault.unknown:
        return ""
    *parents, last = fault.key
    if parents[:1] == ["scripts"]:
        beside = ["path", "source", "category", "profile"]
    else:
        prefix = "".join(f"{parent}." for parent in parents)
        keys = [option.key for option in OPTIONS if option.in_file] + ["scripts"]
        beside = sorted({k.removeprefix(prefix).split(".")[0] for k in keys if k.startswith(prefix)})
        # `dataset:` at the top is more likely `storage.dataset` than any key that only looks like it.
        elsewhere = {k.rpartition(".")[2]: k for k in keys if "." in k}
        if last in elsewhere and last not in beside:
            return f"; did you mean {elsewhere[last]}?"
    found = nearest(last, beside)
    return f"; did you mean {found}?" if found else f"; known here: {', '.join(beside)}"


def _at(raw: Any, key: tuple[str, ...]) -> str:
    for part in key:
        raw = raw[part]
    return str(raw)


def _shown(value: str) -> str:
    text = ascii(value) if not value.isprintable() else repr(value)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
