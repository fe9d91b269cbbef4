"""What ``quarry run`` was asked to do: settings, and a script that is there."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from quarry.config.load import Inputs, Loaded, load
from quarry.crawl.targets import resolve
from quarry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


def load_run(script: str | None, url: str | None, config: str | None, flags: Mapping[str, str]) -> Loaded:
    """Load the settings of a run.

    Args:
        script: The SCRIPT argument.
        url: The URL argument.
        config: Value of ``--config``.
        flags: Texts by dotted key.

    Returns:
        Complete settings; of a dry run, with the script's path in place of its name.

    Raises:
        ConfigError: With every problem, a missing script among them.
    """
    cwd = os.getcwd()
    loaded = load(
        Inputs(flags=flags, config=config, script=script, url=url, environment=os.environ, cwd=cwd, run=True)
    )
    settings = loaded.settings
    problems = list(loaded.problems)
    if settings.script:
        found = resolve(
            settings.script,
            emitter_dir=cwd,
            scripts_root=settings.scripts_root,
            scripts={name: entry.path for name, entry in settings.scripts.items()},
            cwd=cwd,
        )
        if found.path is None:
            problems.append((found.problem or "").replace("target ", "script ", 1))
        elif settings.dry_run:
            settings = dataclasses.replace(settings, script=found.path)
    problems += _seed_problems(settings.seeds)
    if problems:
        raise ConfigError(problems)
    return dataclasses.replace(loaded, settings=settings)


def _seed_problems(seeds: str | None) -> list[str]:
    """Read a seed file before anything is made; standard input is read once, by the crawl."""
    if seeds is None or seeds == "-" or not os.path.isfile(seeds):
        return []
    from quarry.crawl.seeds import check_seeds

    try:
        check_seeds(seeds)
    except ConfigError as error:
        return error.problems
    return []
