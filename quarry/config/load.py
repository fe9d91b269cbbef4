"""From what the user said to complete Settings; all problems at once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quarry.config.checks import run_problems
from quarry.config.defaults import default_source, default_state_dir
from quarry.config.given import GivenValues, Inputs, absolute
from quarry.config.job_input import read_job
from quarry.config.notes import run_warnings
from quarry.config.options import CONFIG_ENV
from quarry.config.pool_checks import command_problems
from quarry.config.pools import NO_POOL
from quarry.config.settings import ScriptEntry, Settings
from quarry.config.sources import gather
from quarry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_STORAGE = "quarry-data"
_DEFAULT_TIMEOUT_MS = 600_000
_PRICES = "simulate.prices."

__all__ = ["Inputs", "Loaded", "load", "load_settings"]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Settings and what there is to say of them.

    Attributes:
        settings: Complete; meaningless while there are problems.
        problems: One line each: where, what, how to mend it.
        warnings: One line each.
        given: Keys that flag, variable or file gave.
    """

    settings: Settings
    problems: list[str]
    warnings: list[str]
    given: frozenset[str] = frozenset()


def load_settings(inputs: Inputs) -> Loaded:
    """Load settings, or raise with every problem.

    Raises:
        ConfigError: Of any problem.
    """
    loaded = load(inputs)
    if loaded.problems:
        raise ConfigError(loaded.problems)
    return loaded


def load(inputs: Inputs) -> Loaded:
    """Load settings: the command line beats the environment, that the file, that the defaults."""
    gathered = gather(inputs.flags, config=inputs.config, environment=inputs.environment, cwd=inputs.cwd)
    values = GivenValues(gathered.values, gathered.faulty)
    problems, warnings = gathered.problems, gathered.warnings
    job, job_problems = read_job(inputs, values) if inputs.run else ({}, [])
    settings = _settings(inputs, values, job, gathered.secret_variables)
    if inputs.run:
        problems += job_problems
        problems += run_problems(inputs, values, settings)
        warnings += run_warnings(inputs, values, settings)
    elif inputs.crawl:
        problems += command_problems(values, settings)
    return Loaded(settings=settings, problems=problems, warnings=warnings, given=frozenset(gathered.values))


def _settings(inputs: Inputs, values: GivenValues, job: Any, secret_variables: frozenset[str]) -> Settings:
    scripts = _scripts(values, inputs.cwd)
    script = _script(inputs, values, scripts)
    entry = scripts.get(script)
    seeds, depth, broker = values.get("seeds"), values.get("depth"), values.get("broker")
    pool, config = values.get("proxy.pool"), inputs.config or inputs.environment.get(CONFIG_ENV)
    alone = broker is not None and values.get("max_runs") is None
    return Settings(
        script=script,
        job=job,
        seeds=seeds if seeds in {None, "-"} else values.path("seeds"),
        source=values.get("source") or (entry and entry.source) or default_source(script, entry, inputs.cwd),
        category=values.get("category") or (entry and entry.category) or "default",
        run_id=values.get("run_id"),
        job_id=values.get("job_id"),
        attempt=values.get("attempt", 1),
        parent_run_id=values.get("parent_run_id"),
        dataset=values.get("storage.dataset", "quarry"),
        storage_path=values.path("storage.path") or os.path.join(inputs.cwd, _DEFAULT_STORAGE),
        storage_backend=values.get("storage.backend", "fs"),
        policy=values.get("policy.name", "strict"),
        executor=values.path("executor"),
        timeout_ms=values.get("timeout", _DEFAULT_TIMEOUT_MS),
        resolve_from=values.path("resolve_from"),
        report=values.path("report"),
        depth=0 if depth is None and (seeds is not None or alone) else depth,
        max_runs=values.get("max_runs"),
        parallel=values.get("parallel", 1),
        parallel_given="parallel" in values,
        max_attempts=values.get("max_attempts", 1),
        max_redeliveries=values.get("max_redeliveries", 3),
        max_failures=values.get("max_failures"),
        scripts_root=values.path("scripts_root") or _default_root(script, entry, inputs.cwd),
        scripts=scripts,
        state_dir=values.path("state_dir") or default_state_dir(inputs.environment),
        dry_run=values.get("dry_run", False),
        format=values.get("output.format"),
        quiet=values.get("output.quiet", False),
        verbose=values.get("output.verbose", False),
        broker=broker,
        detach=values.get("detach", False),
        attach=values.get("attach"),
        resume=values.get("resume"),
        max_duration_ms=values.get("max_duration"),
        lease_ms=values.get("ledger.lease", 60_000),
        claim_ms=values.get("ledger.claim", 900_000),
        grace_ms=values.get("ledger.grace", 10_000),
        expire_after_ms=values.get("ledger.expire_after", 7 * 24 * 3600 * 1000),
        high_water=values.get("ledger.high_water", 100_000),
        config=absolute(inputs.cwd, config) if config else None,
        proxies=values.get("proxies", {}),
        proxy_pool=None if pool == NO_POOL else pool,
        proxy_strategy=values.get("proxy.strategy"),
        proxy_sticky_key=values.get("proxy.sticky_key"),
        proxy_domain=values.get("proxy.domain"),
        proxy_origin=values.get("proxy.origin"),
        secrets=values.get("secrets", {}),
        secret_variables=secret_variables,
        prices={
            name: values.get(f"{_PRICES}{name}")
            for name in ("put_per_1000", "gb_month", "core_hour", "redis_gb_hour", "currency")
            if f"{_PRICES}{name}" in values
        },
        color=not (values.get("output.no_color", False) or inputs.environment.get("NO_COLOR")),
    )


def _default_root(script: str, entry: ScriptEntry | None, cwd: str) -> str:
    found = os.path.normpath(entry.path if entry else os.path.join(cwd, script))
    return os.path.dirname(found) if os.path.isfile(found) else cwd


def _script(inputs: Inputs, values: GivenValues, scripts: Mapping[str, ScriptEntry]) -> str:
    if inputs.script is not None:
        return inputs.script
    script: str = values.get("script", "")
    base = values.base("script", inputs.cwd)
    if script and script not in scripts and base != inputs.cwd:
        beside_config = absolute(base, script)
        return beside_config if os.path.isfile(beside_config) else script
    return script


def _scripts(values: GivenValues, cwd: str) -> dict[str, ScriptEntry]:
    base = values.base("scripts", cwd)
    return {
        name: ScriptEntry(
            path=absolute(base, entry.path),
            source=entry.source,
            category=entry.category,
            profile=entry.profile,
            proxy=entry.proxy,
        )
        for name, entry in values.get("scripts", {}).items()
    }
