"""The settings of one command: complete and validated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quarry.types.proxy import ProxyPool
    from quarry.types.secret import Secret


@dataclass(frozen=True, kw_only=True)
class ScriptEntry:
    """A logical script name of the configuration file.

    Attributes:
        path: Absolute path of the script.
        source: Source of its runs unless the event says otherwise; None inherits.
        category: Likewise.
        profile: Kind of worker that should run it; one machine runs every profile.
        proxy: Name of the pool of its runs, ``none`` for no proxy; None inherits.
    """

    path: str
    source: str | None = None
    category: str | None = None
    profile: str | None = None
    proxy: str | None = None


@dataclass(frozen=True, kw_only=True)
class MaxFailures:
    """Bound of ``--max-failures``: exactly one of the two is set.

    Attributes:
        count: So many failed runs are tolerated.
        percent: So many percent of the executed runs are.
    """

    count: int | None = None
    percent: float | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that a command needs to know.

    Attributes:
        script: The script as it was named: a path, a logical name or a module; "" for commands without one.
        job: Parameters of the root job, a JSON object.
        seeds: Path of the seed file, ``-`` for standard input, None without seeds.
        source: Partition value.
        category: Partition value.
        run_id: The user's id of the root run or of the seeded crawl; None makes one.
        job_id: The user's id of the job.
        attempt: Attempt number of the root, from 1.
        parent_run_id: Run of the attempt before; set exactly when ``attempt`` is above 1.
        dataset: Dataset id.
        storage_path: Absolute path of the folder that holds datasets.
        storage_backend: ``fs``.
        policy: Name of the ingestion policy.
        executor: Absolute path of a foreign executor; None is Quarry's own.
        timeout_ms: Deadline of a run.
        resolve_from: Absolute folder from which scripts import, beside their own; None without.
        report: Absolute path of the exit report; None writes none.
        depth: Bound of the derivation depth; None is no bound.
        max_runs: Bound of the distinct jobs executed; None is no bound.
        parallel: Runs at once.
        parallel_given: Whether the user said so.
        max_attempts: Attempts of a job, in all.
        max_redeliveries: Deliveries of a run after the first.
        max_failures: Bound above which failed children decide the exit code; None is no bound.
        scripts_root: Absolute folder against which script paths shape job keys.
        scripts: Logical names.
        state_dir: Absolute folder of logs and crawl state.
        dry_run: Only load the script.
        format: ``table``, ``json`` or ``yaml``; None chooses by standard output.
        quiet: Only warnings and errors on standard error.
        verbose: Debug events in the log, all counters in progress lines.
        color: False where colours are off whatever the terminal is.
        broker: URL of the Redis of a fleet, which may hold a password; None runs everything here.
        detach: Leave the crawl when it is seeded.
        attach: Crawl of the broker to watch; None begins one.
        resume: Crawl of this machine to go on with; None begins one.
        max_duration_ms: Time after which the crawl is stopped; None is no bound.
        lease_ms: How long a worker may be silent.
        claim_ms: How long a message may wait in the broker's list.
        grace_ms: How long a message may be in neither list nor worker.
        expire_after_ms: How long Redis keeps the crawl after its end.
        high_water: Pending jobs at which the seeder waits.
        config: Absolute path of the configuration file; None without one.
        proxies: Pools of the configuration, by name.
        proxy_pool: Name of the command's pool, one of `proxies`; None is no proxy.
        proxy_strategy: In place of the strategy of the command's pool, by `with_strategy`; None leaves it.
        proxy_sticky_key: Key of every run of a sticky pool; None takes what the pool's scope says.
        proxy_domain: Host in lower case that stands for that of ``params.url``; None takes the URL's.
        proxy_origin: Scheme, host and perhaps port, likewise.
        root_pools: Pools that roots bring along (``quarry retry``), beside the command's and its scripts'.
        secrets: Secrets of the configuration that jobs may name; `job_secrets.secret_of` looks one up.
        secret_variables: Names of the variables that the configuration takes passwords and secrets from.
        prices: Price table of ``quarry simulate``, by name; what is missing has its example's price.
    """

    script: str
    job: Any = field(default_factory=dict)
    seeds: str | None = None
    source: str = "default"
    category: str = "default"
    run_id: str | None = None
    job_id: str | None = None
    attempt: int = 1
    parent_run_id: str | None = None
    dataset: str = "quarry"
    storage_path: str
    storage_backend: str = "fs"
    policy: str = "strict"
    executor: str | None = None
    timeout_ms: int = 600_000
    resolve_from: str | None = None
    report: str | None = None
    depth: int | None = None
    max_runs: int | None = None
    parallel: int = 1
    parallel_given: bool = False
    max_attempts: int = 1
    max_redeliveries: int = 3
    max_failures: MaxFailures | None = None
    scripts_root: str
    scripts: Mapping[str, ScriptEntry] = field(default_factory=dict)
    state_dir: str
    dry_run: bool = False
    format: str | None = None
    quiet: bool = False
    verbose: bool = False
    color: bool = True
    broker: str | None = field(default=None, repr=False)
    detach: bool = False
    attach: str | None = None
    resume: str | None = None
    max_duration_ms: int | None = None
    lease_ms: int = 60_000
    claim_ms: int = 900_000
    grace_ms: int = 10_000
    expire_after_ms: int = 7 * 24 * 3600 * 1000
    high_water: int = 100_000
    config: str | None = None
    proxies: Mapping[str, ProxyPool] = field(default_factory=dict, repr=False)
    proxy_pool: str | None = None
    proxy_strategy: str | None = None
    proxy_sticky_key: str | None = None
    proxy_domain: str | None = None
    proxy_origin: str | None = None
    root_pools: tuple[str, ...] = ()
    secrets: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    secret_variables: frozenset[str] = field(default=frozenset(), repr=False)
    prices: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def fanout(self) -> bool:
        """Whether enqueue events become runs: depth above 0, max_runs, seeds, a broker, a resumed crawl."""
        return (
            bool(self.depth)
            or self.max_runs is not None
            or self.seeds is not None
            or self.broker is not None
            or self.resume is not None
        )
