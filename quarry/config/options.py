"""The table of options: for each its flag, environment variable, file key, default, unit and bounds.

The command line, the environment reader, the file's model and the documentation all follow this table.
"""

from __future__ import annotations

from quarry.config.fleet_options import FLEET_OPTIONS
from quarry.config.job_options import JOB_OPTIONS
from quarry.config.option import Option
from quarry.config.proxy_options import PROXY_OPTIONS

__all__ = ["OPTIONS", "Option", "option_of"]

MAX_DEPTH = 1_000_000
MAX_RUNS = 1_000_000_000
MAX_PARALLEL = 4096
MAX_ATTEMPTS = 100
MAX_REDELIVERIES = 1000
MAX_TIMEOUT_MS = 7 * 24 * 3600 * 1000

POLICIES = ("strict",)
BACKENDS = ("fs",)
FORMATS = ("table", "json", "yaml")
PROFILES = ("http", "browser")


_STORAGE, _FANOUT = "Storage", "Fan-out"
_EXECUTION, _OUTPUT = "Execution", "Output"

OPTIONS: tuple[Option, ...] = (
    *JOB_OPTIONS,
    Option(
        "storage.dataset",
        "--dataset",
        "ID",
        "Dataset that the rows go to",
        default="quarry",
        env="QUARRY_DATASET",
        section=_STORAGE,
    ),
    Option(
        "storage.backend",
        "--storage-backend",
        "NAME",
        "Where datasets lie: fs is a folder",
        default="fs",
        env="QUARRY_STORAGE_BACKEND",
        section=_STORAGE,
    ),
    Option(
        "storage.path",
        "--storage-path",
        "FOLDER",
        "Folder that holds the datasets",
        default="./quarry-data",
        env="QUARRY_STORAGE_PATH",
        path=True,
        section=_STORAGE,
    ),
    Option(
        "policy.name",
        "--policy",
        "NAME",
        "Ingestion policy: strict makes each event durable before the next is read",
        default="strict",
        env="QUARRY_POLICY",
        section=_STORAGE,
    ),
    Option(
        "depth",
        "--depth",
        "N",
        f"Follow enqueue events up to this derivation depth, 0 to {MAX_DEPTH}; 1 or more starts a fan-out",
        default="no bound in a fan-out (0 with --seeds, or --broker alone)",
        env="QUARRY_DEPTH",
        section=_FANOUT,
    ),
    Option(
        "max_runs",
        "--max-runs",
        "N",
        f"Execute at most so many distinct jobs, roots among them, 1 to {MAX_RUNS}; starts a fan-out",
        default="no bound",
        env="QUARRY_MAX_RUNS",
        section=_FANOUT,
    ),
    Option(
        "parallel",
        "--parallel",
        "N",
        f"Runs at once, over all workers, 1 to {MAX_PARALLEL}",
        default="1",
        env="QUARRY_PARALLEL",
        section=_FANOUT,
    ),
    Option(
        "max_attempts",
        "--max-attempts",
        "N",
        f"Attempts of a job whose script fails or whose executor crashes, 1 to {MAX_ATTEMPTS}",
        default="1",
        env="QUARRY_MAX_ATTEMPTS",
        section=_FANOUT,
    ),
    Option(
        "max_redeliveries",
        "--max-redeliveries",
        "N",
        f"How often a run whose worker was lost is delivered again, 0 to {MAX_REDELIVERIES}",
        default="3",
        env="QUARRY_MAX_REDELIVERIES",
        section=_FANOUT,
    ),
    Option(
        "max_failures",
        "--max-failures",
        "N|P%",
        "Exit with 5 if more runs fail: a number, or percent of those executed, as in 2.5%",
        default="no bound",
        env="QUARRY_MAX_FAILURES",
        section=_FANOUT,
    ),
    Option(
        "executor",
        "--executor",
        "PATH",
        "Program that executes scripts and speaks Quarry's wire",
        default="Quarry's own",
        env="QUARRY_EXECUTOR",
        path=True,
        section=_EXECUTION,
    ),
    Option(
        "timeout",
        "--timeout",
        "DURATION",
        "Deadline of a run: 500ms, 30s, 10m or 2h; a bare number is seconds; at most 7 days",
        default="10m",
        env="QUARRY_TIMEOUT",
        section=_EXECUTION,
    ),
    Option(
        "resolve_from",
        "--resolve-from",
        "FOLDER",
        "Folder from which scripts may import, beside their own",
        env="QUARRY_RESOLVE_FROM",
        path=True,
        section=_EXECUTION,
    ),
    Option(
        "scripts_root",
        "",
        "FOLDER",
        "Folder against which script paths are named in job keys",
        default="the folder of the first script",
        env="QUARRY_SCRIPTS_ROOT",
        path=True,
        section=_EXECUTION,
    ),
    Option(
        "state_dir",
        "",
        "FOLDER",
        "Folder of logs and of what a running crawl keeps",
        default="$XDG_STATE_HOME/quarry, else ~/.local/state/quarry",
        env="QUARRY_STATE_DIR",
        path=True,
        section=_EXECUTION,
    ),
    Option(
        "dry_run",
        "--dry-run",
        "",
        "Load the script and check its hooks; run and write nothing",
        in_file=False,
        section=_EXECUTION,
    ),
    Option(
        "report",
        "--report",
        "PATH",
        "Write a structured exit report (JSON) to this file: of a single run the runtime's, of a crawl its"
        " result",
        env="QUARRY_REPORT",
        path=True,
        section=_OUTPUT,
    ),
    Option(
        "output.format",
        "--format",
        "NAME",
        "Form of the result on standard output: table, json or yaml",
        default="table on a terminal, else json",
        env="QUARRY_FORMAT",
        section=_OUTPUT,
    ),
    Option(
        "output.quiet",
        "--quiet",
        "",
        "Only warnings and errors on standard error",
        env="QUARRY_QUIET",
        section=_OUTPUT,
    ),
    Option(
        "output.verbose",
        "--verbose",
        "",
        "All counters in progress lines, debug events in the log",
        env="QUARRY_VERBOSE",
        section=_OUTPUT,
    ),
    Option(
        "output.no_color",
        "--no-color",
        "",
        "No colours; NO_COLOR in the environment does the same",
        env="QUARRY_NO_COLOR",
        section=_OUTPUT,
    ),
    *PROXY_OPTIONS,
    *FLEET_OPTIONS,
)

CONFIG_ENV = "QUARRY_CONFIG"
"""Names the configuration file, as ``--config`` does."""

OTHER_ENV = frozenset(
    {
        CONFIG_ENV,
        "QUARRY_NO_SANDBOX",
        "QUARRY_BROWSER_ENDPOINT",
        "QUARRY_BROWSER_PATH",
        "QUARRY_METRICS_HOST",
        "QUARRY_METRICS_PORT",
        "QUARRY_WORKER_GRACE",
    }
)
"""Variables of Quarry that are no setting of this table: workers and executors read them."""


def option_of(key: str) -> Option:
    """Give the option of a dotted key.

    Raises:
        KeyError: There is none.
    """
    for option in OPTIONS:
        if option.key == key:
            return option
    raise KeyError(key)
