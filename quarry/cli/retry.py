"""``quarry retry``."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import click
import msgspec

from quarry.cli.flags import SectionCommand, flags_of, make_options

if TYPE_CHECKING:
    from quarry.cli.live import StderrReporter
    from quarry.config.load import Loaded
    from quarry.config.settings import Settings
    from quarry.crawl.plan import JobPayload
    from quarry.lode import CommitRecord
    from quarry.types import RunResult

_TAKEN = (
    "run_id",
    "storage.dataset",
    "storage.path",
    "policy.name",
    "depth",
    "max_runs",
    "parallel",
    "max_attempts",
    "max_redeliveries",
    "max_failures",
    "max_duration",
    "executor",
    "timeout",
    "resolve_from",
    "report",
    "output.format",
    "output.quiet",
    "output.verbose",
    "output.no_color",
    "broker",
    "detach",
    "proxy.pool",
    "proxy.strategy",
    "proxy.sticky_key",
    "proxy.domain",
    "proxy.origin",
)


def retry(**values: Any) -> int:
    """Retry failed jobs in a crawl of their own."""
    from quarry.cli.live import make_reporter
    from quarry.cli.on_broker import check_crawl_id
    from quarry.cli.run import report_result
    from quarry.cli.session_log import session_log
    from quarry.config.load import Inputs, load_settings
    from quarry.errors import ConfigError
    from quarry.types import new_run_id

    crawl, jobs = check_crawl_id(values["crawl"]), list(values["jobs"])
    if values["failed"] and jobs:
        raise ConfigError("--failed and JOB: the first retries all that failed; give one of them")
    loaded = load_settings(
        Inputs(
            flags=flags_of(values),
            config=values["config"],
            environment=os.environ,
            cwd=os.getcwd(),
            crawl=True,
        )
    )
    asked = "proxy.pool" in flags_of(values)
    payloads, depth, root = _payloads(loaded, crawl, jobs, asked=asked)
    settings = dataclasses.replace(
        loaded.settings,
        script="",
        seeds=None,
        run_id=loaded.settings.run_id or new_run_id(),
        depth=loaded.settings.depth if "depth" in loaded.given else depth,
        scripts_root=loaded.settings.scripts_root if "scripts_root" in loaded.given else root,
        root_pools=tuple(sorted({payload.proxy for payload in payloads if payload.proxy is not None})),
        attach=None,
        resume=None,
    )
    reporter = make_reporter(quiet=settings.quiet, verbose=settings.verbose, max_runs=settings.max_runs)
    with session_log(settings, reporter, command="retry"):
        for warning in loaded.warnings:
            reporter.warning(warning)
        reporter.info(f"retrying {len(payloads)} failed jobs of crawl {crawl} as crawl {settings.run_id}")
        try:
            result = _execute(settings, reporter, payloads)
        finally:
            reporter.finish()
        return report_result(settings, reporter, result)


def _payloads(
    loaded: Loaded, crawl: str, jobs: list[str], *, asked: bool
) -> tuple[list[JobPayload], int | None, str]:
    """Choose the jobs, and make the roots that retry them; with the depth bound and the scripts root.

    Args:
        loaded: Settings of the command.
        crawl: Whose jobs.
        jobs: Keys or run ids; empty means all that failed.
        asked: Whether the command line named a pool, or none.
    """
    from quarry.cli.reading import NotFoundError, open_dataset
    from quarry.config.pool_checks import root_problems
    from quarry.crawl.retrying import choose_failed, depth_left, make_retry, root_of
    from quarry.errors import ConfigError

    settings = loaded.settings
    reader = open_dataset(settings)
    records = reader.runs(crawl=crawl)
    if not records:
        raise NotFoundError(
            f"no run of a crawl {crawl!r} has ended in {reader.root}; 'quarry list runs' shows what is there"
        )
    chosen, problems = choose_failed(records, jobs)
    if not chosen and not problems:
        raise NotFoundError(f"no job of crawl {crawl} has failed: there is nothing to retry")
    found = next((root for record in chosen if (root := root_of(record)) is not None), settings.scripts_root)
    root = settings.scripts_root if "scripts_root" in loaded.given else found
    paths = {name: entry.path for name, entry in settings.scripts.items()}
    made = [make_retry(record, root, paths) for record in chosen]
    pools = [
        _pool_of(record, payload, settings, asked=asked)
        for record, (payload, _) in zip(chosen, made, strict=True)
    ]
    problems += dict.fromkeys(problem for _, problem in pools if problem)
    problems += root_problems(settings, {pool for pool, _ in pools if pool is not None})
    missing = dict.fromkeys(problem for _, problem in made if problem)
    if missing:
        problems += [*missing, "set scripts_root (QUARRY_SCRIPTS_ROOT) to the folder of the crawl's scripts"]
    if problems:
        raise ConfigError(problems)
    bounds = (reader.summary(crawl) or {}).get("bounds") or {}
    payloads = [
        msgspec.structs.replace(payload, proxy=pool)
        for (payload, _), (pool, _) in zip(made, pools, strict=True)
    ]
    return payloads, depth_left(bounds.get("depth"), chosen), root


def _pool_of(
    record: CommitRecord, payload: JobPayload, settings: Settings, *, asked: bool
) -> tuple[str | None, str | None]:
    from quarry.crawl.children import entry_of
    from quarry.crawl.retrying import choose_pool

    entry = entry_of(settings.scripts, record.target, payload.path)
    return choose_pool(record, entry, pools=settings.proxies, default=settings.proxy_pool, asked=asked)


def _execute(settings: Any, reporter: StderrReporter, payloads: list[JobPayload]) -> RunResult:
    from quarry.engine import run_embedded, run_fleet

    if settings.broker is not None:
        return run_fleet(settings, reporter, payloads=payloads)
    return run_embedded(settings, reporter, payloads=payloads)


command = SectionCommand(
    "retry",
    callback=retry,
    help=(
        "Start a new crawl whose roots are failed jobs of another one: the next attempt of each, after"
        " its last run."
        " The first crawl's records stay as they are. JOB is a job's key or the id of its last run;"
        " without any, all"
        " that failed. The depth bound is what the first crawl's leaves, unless --depth says otherwise. A job"
        " keeps the proxy pool of its last run where the configuration has it, unless --proxy-pool names"
        " another one, or none."
    ),
    params=[
        click.Argument(["crawl"], metavar="CRAWL"),
        click.Argument(["jobs"], metavar="[JOB]...", nargs=-1),
        click.Option(["--failed"], is_flag=True, default=None, help="All that failed: the default."),
        *make_options(_TAKEN),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
