"""The settings of a worker: where its scripts lie, its proxies and secrets."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from quarry.config.given import GivenValues, absolute
from quarry.config.places import folder_problem
from quarry.config.sources import gather
from quarry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quarry.types.proxy import ProxyPool
    from quarry.types.secret import Secret


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """What a worker knows of its machine.

    Attributes:
        scripts_root: Absolute folder of its scripts; None takes paths as the crawl's command saw them.
        scripts: Absolute paths by logical name.
        proxies: Pools by name, as its own file defines them.
        secrets: Secrets of its file; `job_secrets.secret_of` looks one up, the environment first.
        secret_variables: Names of the variables that its file takes passwords and secrets from.
    """

    scripts_root: str | None = None
    scripts: Mapping[str, str] = field(default_factory=dict)
    proxies: Mapping[str, ProxyPool] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    secret_variables: frozenset[str] = field(default=frozenset(), repr=False)


def load_worker_settings(environment: Mapping[str, str], cwd: str) -> WorkerSettings:
    """Load them from QUARRY_SCRIPTS_ROOT and the file that QUARRY_CONFIG names.

    Args:
        environment: All environment variables.
        cwd: The working directory.

    Raises:
        ConfigError: With every problem of file and variables, a root that is not there among them.
    """
    gathered = gather({}, config=None, environment=environment, cwd=cwd)
    values = GivenValues(gathered.values, gathered.faulty)
    problems = list(gathered.problems)
    root = values.path("scripts_root")
    if root is not None and (problem := folder_problem(root)) is not None:
        problems.append(f"{values.place('scripts_root')}: {problem}")
    if problems:
        raise ConfigError(problems)
    base = values.base("scripts", cwd)
    return WorkerSettings(
        scripts_root=os.path.normpath(root) if root else None,
        scripts={name: absolute(base, entry.path) for name, entry in values.get("scripts", {}).items()},
        proxies=values.get("proxies", {}),
        secrets=values.get("secrets", {}),
        secret_variables=gathered.secret_variables,
    )
