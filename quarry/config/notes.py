"""What a user should know though nothing is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarry.config.pool_checks import command_warnings

if TYPE_CHECKING:
    from quarry.config.given import GivenValues, Inputs
    from quarry.config.settings import Settings


def run_warnings(inputs: Inputs, values: GivenValues, settings: Settings) -> list[str]:
    """Give the warnings of a ``quarry run``."""
    warnings = []
    if inputs.url is not None and "://" not in inputs.url:
        warnings.append(f"URL {inputs.url!r} has no scheme such as https://; the script gets it as it is")
    if settings.dry_run or settings.attach or settings.resume:
        return warnings
    warnings += command_warnings(values, settings)
    if not settings.fanout:
        warnings += [
            f"{values.place(key)} has no effect on a single run; a fan-out starts with --depth 1 or more,"
            " --max-runs, --seeds or --broker"
            for key in ("parallel", "max_redeliveries", "max_failures", "max_duration")
            if key in values
        ]
        return warnings
    if settings.depth is None:
        warnings.append("no --depth: the derivation depth has no bound")
    if settings.max_runs is None and settings.depth != 0:
        warnings.append("no --max-runs: the number of runs has no bound")
    return warnings
