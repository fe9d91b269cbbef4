"""``quarry simulate``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from quarry.cli.flags import SectionCommand, SectionOption, flags_of, make_options

if TYPE_CHECKING:
    from quarry.config.settings import Settings
    from quarry.simulate import Prices, Workload

HELP = """Say what a crawl of some size needs, what it costs, and where it stops scaling. Starts nothing.

Computed from measured costs of runs; docs/scaling.md says how far such figures were off. The prices are
examples until --prices or 'simulate.prices' of the configuration names others.

\b
  quarry simulate --jobs 1000000 --rate 200 --enqueues 20 --page-bytes 20000
  quarry simulate --jobs 1000000000 --rate 5000 --format json
"""

_SLOTS = 64


def simulate(**values: Any) -> int:
    """Compute and show."""
    from quarry.cli.reading import load_reading, show
    from quarry.cli.simulate_view import answer_lines
    from quarry.errors import ConfigError
    from quarry.simulate import answer, default_costs, read_costs

    work, redis_gb, problems = _workload(values)
    costs = default_costs()
    if values["costs"] is not None:
        try:
            costs = read_costs(values["costs"])
        except ConfigError as error:
            problems += error.problems
    settings = None
    try:
        settings = load_reading(flags_of(values), values["config"])
    except ConfigError as error:
        problems += error.problems
    prices, price_problems = _prices(values, settings)
    problems += price_problems
    if problems or work is None or settings is None:
        raise ConfigError(problems)
    document = answer(costs, prices, work, redis_bytes=redis_gb * 1e9)
    show(settings, document, lambda styles: answer_lines(document, styles))
    return 0


def _workload(values: dict[str, Any]) -> tuple[Workload | None, float, list[str]]:
    """Read the workload; None, and why, where anything is wrong."""
    from quarry.cli.simulate_input import Numbers
    from quarry.simulate import Workload

    given = Numbers(values)
    pending = given.number("--pending", low=0, high=1e12, whole=True, default=-1)
    redis_gb = given.number("--redis-gb", low=0.001, high=1e6, default=64)
    work = Workload(
        jobs=int(given.number("--jobs", low=1, high=1e12, whole=True)),
        rate=given.number("--rate", low=1e-6, high=1e9),
        events=given.number("--events", low=0, high=1e6, default=1),
        enqueues=given.number("--enqueues", low=0, high=1e6, default=0),
        row_bytes=given.number("--row-bytes", low=0, high=1e9, default=0),
        page_bytes=given.number("--page-bytes", low=0, high=1e10, default=0),
        duration_ms=given.duration_ms("--duration", default="500ms"),
        slots=int(given.number("--slots", low=1, high=4096, whole=True, default=_SLOTS)),
        pending=None if pending < 0 else int(pending),
    )
    return (None if given.problems else work), redis_gb, given.problems


def _prices(values: dict[str, Any], settings: Settings | None) -> tuple[Prices, list[str]]:
    """Read the price table of ``--prices``, else the configuration's, else the examples."""
    from quarry.config.file import read_document
    from quarry.errors import ConfigError
    from quarry.simulate import Prices, parse_prices

    path, flag = values["prices"], "--prices"
    if path is None:
        return parse_prices(settings.prices if settings else {}, place="simulate.prices")
    try:
        document = read_document(path, os.environ)
    except ConfigError as error:
        return Prices(), [problem.replace("--config", flag, 1) for problem in error.problems]
    if document.problems:
        return Prices(), document.told(f"{flag} {path}")
    table: Any = document.raw
    for key in ("simulate", "prices"):  # the whole configuration, the section, or the table alone
        if isinstance(table, dict) and key in table:
            table = table[key]
    if not isinstance(table, dict):
        return Prices(), [f"{flag} {path}: must be a mapping of names to prices"]
    return parse_prices(table, place=f"{flag} {path}")


def _option(flag: str, metavar: str, told: str, section: str) -> SectionOption:
    made = SectionOption([flag], metavar=metavar, help=told)
    made.section = section
    return made


_CRAWL, _MEANS = "Crawl", "Means"

command = SectionCommand(
    "simulate",
    callback=simulate,
    help=HELP,
    params=[
        _option("--jobs", "N", "Distinct jobs of the crawl.  [required]", _CRAWL),
        _option("--rate", "R", "Runs that shall end in a second.  [required]", _CRAWL),
        _option(
            "--events", "N", "Events of a run that become rows, enqueue events aside.  [default: 1]", _CRAWL
        ),
        _option("--enqueues", "N", "Enqueue events of a run.  [default: 0]", _CRAWL),
        _option("--row-bytes", "N", "JSON text of one event's data, in bytes.  [default: 0]", _CRAWL),
        _option(
            "--page-bytes", "N", "Page that a run fetches, in bytes; 0 fetches none.  [default: 0]", _CRAWL
        ),
        _option(
            "--duration",
            "DURATION",
            "How long a run takes, the site's answer in it.  [default: 500ms]",
            _CRAWL,
        ),
        _option(
            "--pending",
            "N",
            "Most jobs pending at once.  [default: with --enqueues all of them, else 100000]",
            _CRAWL,
        ),
        _option("--slots", "N", f"Runs at once in a worker process.  [default: {_SLOTS}]", _MEANS),
        _option("--redis-gb", "N", "Memory of the Redis machine in GB.  [default: 64]", _MEANS),
        _option(
            "--costs", "FILE", "JSON with measured costs, in place of those that come with Quarry.", _MEANS
        ),
        _option("--prices", "FILE", "YAML or JSON with a price table.", _MEANS),
        *make_options(("output.format", "output.no_color")),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
