"""``quarry run``."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from quarry.cli import codes
from quarry.cli.flags import SectionCommand, flags_of, make_options

if TYPE_CHECKING:
    from quarry.cli.live import StderrReporter
    from quarry.config.settings import Settings
    from quarry.types import RunResult
    from quarry.types.proxy import ProxyPool

HELP = """Run SCRIPT; with --depth, --max-runs or --seeds crawl what it discovers.

URL is short for --job '{"url": "URL"}'. Standard output gets the result and nothing else; the path of the
log, progress, warnings and errors go to standard error.

\b
  quarry run list.py https://example.org/ --depth 2 --max-runs 500 --parallel 8
  quarry run check.py --seeds urls.txt --parallel 4
  quarry run detail.py --job '{"sku": "A-7"}' --dry-run

Exit codes: 0 success, 1 the script failed, 2 the executor crashed, 3 storage or contract, 4 stopped or
unfinished, 5 more failures than --max-failures, 64 usage, 70 internal error, 130 forced.
"""


def run(**values: Any) -> int:
    """Run the command.

    Args:
        values: By click.

    Returns:
        Exit code.
    """
    if sys.platform == "win32":
        raise click.UsageError(
            "crawls run on Linux and macOS; on Windows use WSL (reading datasets works here)"
        )
    from quarry.cli.live import make_reporter
    from quarry.cli.reading import NotFoundError
    from quarry.cli.run_input import load_run
    from quarry.cli.session_log import session_log
    from quarry.errors import LedgerMissingError

    loaded = load_run(values["script"], values["url"], values["config"], flags_of(values))
    settings = loaded.settings
    reporter = make_reporter(quiet=settings.quiet, verbose=settings.verbose, max_runs=settings.max_runs)
    if settings.dry_run:
        for warning in loaded.warnings:
            reporter.warning(warning)
        return _dry_run(settings)
    with session_log(settings, reporter):
        for warning in loaded.warnings:
            reporter.warning(warning)
        try:
            result = _execute(settings, reporter)
        except LedgerMissingError as error:
            if settings.attach is None:
                raise
            raise NotFoundError(error.message) from error
        else:
            # The crawl is over: an interrupt that comes now must not take the result with it.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
        finally:
            reporter.finish()
        return report_result(settings, reporter, result)


def _execute(settings: Settings, reporter: StderrReporter) -> RunResult:
    if settings.broker is not None and settings.resume is None:
        from quarry.engine import run_fleet

        return run_fleet(settings, reporter)
    if settings.fanout:
        from quarry.engine import run_embedded

        return run_embedded(settings, reporter)
    from quarry.wiring import run_single

    return run_single(settings, reporter)


def report_result(settings: Settings, reporter: StderrReporter, result: RunResult) -> int:
    """Write the result in the format that the user chose.

    Returns:
        The exit code.
    """
    from quarry.cli.output import choose_format, write_document, write_text
    from quarry.cli.result_view import result_document, result_lines

    for warning in result.warnings:
        if warning not in reporter.warnings:
            reporter.warning(warning)
    warnings = list(dict.fromkeys(reporter.warnings))
    form = choose_format(settings.format)
    if form == "table":
        write_text("\n".join(result_lines(result, color=_color(settings))) + "\n")
    else:
        write_document(result_document(result, warnings), form)
    return result.exit_code


def _color(settings: Settings) -> bool:
    from quarry.cli.output import is_terminal

    return settings.color and is_terminal(sys.stdout) and os.environ.get("TERM") != "dumb"


def _dry_run(settings: Settings) -> int:
    from quarry.cli.output import choose_format, write_document, write_text
    from quarry.cli.visible import visible
    from quarry.wiring import validate

    result = validate(settings)
    pool = _root_pool(settings)
    form = choose_format(settings.format)
    if form == "table":
        hooks = ", ".join((result.exports or {}).get("hooks", [])) or "none"
        verdict = f"valid; hooks: {hooks}" if result.valid else f"invalid: {result.error}"
        write_text(f"{visible(settings.script)}: {visible(verdict)}\n")
        if pool is not None:
            write_text(f"proxy pool: {pool.name}, {pool.strategy}, endpoints {len(pool.endpoints)}\n")
    else:
        document = {
            "script": settings.script,
            "valid": result.valid,
            "started": result.started,
            "error": result.error,
            "exports": result.exports,
            "proxy": None
            if pool is None
            else {"pool": pool.name, "strategy": pool.strategy, "endpoints": len(pool.endpoints)},
        }
        write_document(document, form)
    if not result.started:
        return codes.NOT_STARTED
    return codes.OK if result.valid else codes.NOT_FOUND


def _root_pool(settings: Settings) -> ProxyPool | None:
    """Give the pool that the root run would have."""
    from quarry.cli.pool_choice import used_pool
    from quarry.crawl.children import entry_of, pool_of

    path = os.path.normpath(os.path.join(os.getcwd(), settings.script))
    name = pool_of(entry_of(settings.scripts, settings.script, path), settings.proxy_pool)
    return None if name is None else used_pool(settings, name)


command = SectionCommand(
    "run",
    callback=run,
    help=HELP,
    params=[
        click.Argument(["script"], metavar="[SCRIPT", required=False),
        click.Argument(["url"], metavar="[URL]]", required=False),
        *make_options(),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
