"""The configuration file as one source of settings: values, problems and warnings, each with its place."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quarry.config.file import read_document, told_at
from quarry.config.given import Given
from quarry.config.job_secrets import read_secrets
from quarry.config.keys import KeyProblem, dotted
from quarry.config.model import Fault, FileValues, check_values
from quarry.config.options import OPTIONS
from quarry.config.pool_checks import script_problems
from quarry.config.pools import FoundPools, read_pools
from quarry.config.suggest import nearest
from quarry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quarry.config.file import Document
    from quarry.types.secret import Secret

_MAPPINGS = ("scripts", "proxies", "secrets")
"""Keys of the file that are no options: mappings by names of the user's."""


@dataclass
class FileGiven:
    """What the file gave.

    Attributes:
        values: By dotted key, those without fault.
        faulty: Keys given with a fault.
        problems: One line each, in the order of the file.
        warnings: One line each.
        secret_variables: Names of the variables that passwords and secrets in it come from.
    """

    values: dict[str, Given] = field(default_factory=dict)
    faulty: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    secret_variables: frozenset[str] = field(default=frozenset(), repr=False)


def read_file(config: str, environment: Mapping[str, str], cwd: str) -> FileGiven:
    """Read and check the configuration file.

    Args:
        config: Its path, as it was given.
        environment: Variables that it may name.
        cwd: Folder that the path belongs to.
    """
    path = os.path.join(cwd, config)
    try:
        document = read_document(path, environment)
    except ConfigError as error:
        return FileGiven(problems=[problem.replace(path, config) for problem in error.problems])
    base = os.path.dirname(path)
    raw = dict(document.raw)
    pools, secrets, problems = _read_own(raw, base, environment)
    found, faults = check_values(FileValues, raw)
    given = FileGiven(
        faulty={dotted(key) for key in document.broken},
        secret_variables=frozenset(document.secret_variables),
    )
    problems += [
        KeyProblem(fault.key, f"{fault.problem}{_hint(fault)}")
        for fault in faults
        if dotted(fault.key) not in given.faulty
    ]
    given.faulty |= {dotted(fault.key) for fault in faults}
    given.faulty |= {dotted(problem.key[:2]) for problem in problems if problem.key[0] == "proxies"}
    if "proxies" not in given.faulty:
        problems += script_problems(found.get("scripts", {}), pools, base=base)
    given.problems = document.told(config, problems)
    given.warnings = [told_at(config, document.place(w.key), w) for w in pools.warnings]
    found |= {name: value for name, value in (("proxies", pools.pools), ("secrets", secrets)) if value}
    given.values = {key: Given(value, _place(document, config, key), base) for key, value in found.items()}
    return given


def _read_own(
    raw: dict[str, Any], base: str, environment: Mapping[str, str]
) -> tuple[FoundPools, dict[str, Secret], list[KeyProblem]]:
    """Take out what has readers of its own, and read it; None was told by who read the file."""
    pools = FoundPools()
    secrets: dict[str, Secret] = {}
    problems: list[KeyProblem] = []
    if (raw_pools := raw.pop("proxies", None)) is not None:
        pools = read_pools(raw_pools, base=base, environment=environment)
        problems += pools.problems
    if (raw_secrets := raw.pop("secrets", None)) is not None:
        secrets, told = read_secrets(raw_secrets)
        problems += told
    return pools, secrets, problems


def _place(document: Document, config: str, key: str) -> str:
    return f"{config}:{document.place(tuple(key.split('.'))).line}: {key}"


def _hint(fault: Fault) -> str:
    if not fault.unknown:
        return ""
    *parents, last = fault.key
    if parents[:1] == ["scripts"]:
        beside = ["path", "source", "category", "profile", "proxy"]
    else:
        prefix = "".join(f"{parent}." for parent in parents)
        keys = [option.key for option in OPTIONS if option.in_file] + list(_MAPPINGS)
        beside = sorted({k.removeprefix(prefix).split(".")[0] for k in keys if k.startswith(prefix)})
        # `dataset:` at the top is more likely `storage.dataset` than any key that only looks like it.
        elsewhere = {k.rpartition(".")[2]: k for k in keys if "." in k}
        if last in elsewhere and last not in beside:
            return f"; did you mean {elsewhere[last]}?"
    found = nearest(last, beside)
    return f"; did you mean {found}?" if found else f"; known here: {', '.join(beside)}"
