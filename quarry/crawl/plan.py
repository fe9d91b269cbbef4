"""What a crawl is, as the ledger keeps it: the plan shared by all its jobs, and each job's payload."""

from __future__ import annotations

from typing import Any

import msgspec

from quarry.errors import SchedulerError


class ScriptEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A logical script name of the configuration.

    Attributes:
        path: Absolute path of the script.
        source: Source that its runs get unless the event says otherwise.
        category: Likewise.
        profile: Kind of worker that runs it; None is ``http``.
        proxy: Pool of its runs, ``none`` for none; None inherits.
    """

    path: str
    source: str | None = None
    category: str | None = None
    profile: str | None = None
    proxy: str | None = None


class PlanPool(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A proxy pool that a crawl's runs may use; each worker has the endpoints in its own configuration.

    Attributes:
        digest: Of the definition that the crawl's command saw, with this strategy.
        strategy: In place of the definition's own; None leaves it.
    """

    digest: str
    strategy: str | None = None


class CrawlPlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that a worker must know of a crawl; holds no secrets.

    Attributes:
        crawl: Crawl id.
        day: UTC day on which the crawl began, ``YYYY-MM-DD``; the same in every path of it.
        seeded: Whether the roots came from ``--seeds``.
        started_at: Unix seconds at which it began.
        storage_path: Absolute root of the storage.
        dataset: Dataset id.
        policy: Name of the ingestion policy.
        timeout_ms: Deadline of a run.
        executor: Path of a foreign executor, or None for Quarry's own.
        resolve_from: Folder from which scripts import, beside their own.
        scripts_root: Folder against which script paths shape job keys.
        cwd: Folder of the command, the second place where targets are looked up.
        scripts: Logical names.
        first_attempt: Attempt number of the roots (``--attempt``).
        bounds: The bounds as given, for the summary.
        fleet: Whether workers elsewhere execute it: each has its scripts under a root of its own.
        versions: SHA-256 of the scripts that its command saw, by target; a worker with another one refuses.
        lease_ms: How long a worker may be silent; it beats six times in it.
        max_duration_ms: Time after its beginning (in Redis) at which it is stopped; None is no bound.
        expire_after_ms: How long Redis keeps it after its end.
        proxies: Pools that its runs may have, by name.
        proxy_sticky_key: Key of every run of a sticky pool.
        proxy_domain: Stands for the host of every job's URL.
        proxy_origin: Stands for its origin.
    """

    crawl: str
    day: str
    started_at: float
    storage_path: str
    dataset: str
    policy: str
    timeout_ms: int
    scripts_root: str
    cwd: str
    seeded: bool = False
    executor: str | None = None
    resolve_from: str | None = None
    scripts: dict[str, ScriptEntry] = {}
    first_attempt: int = 1
    bounds: dict[str, int | None] = {}
    fleet: bool = False
    versions: dict[str, str] = {}
    lease_ms: int = 60_000
    max_duration_ms: int | None = None
    expire_after_ms: int = 7 * 24 * 3600 * 1000
    proxies: dict[str, PlanPool] = {}
    proxy_sticky_key: str | None = None
    proxy_domain: str | None = None
    proxy_origin: str | None = None

    def storage_view(self) -> dict[str, str]:
        """Say where the data are, as results show it."""
        return {"backend": "fs", "path": self.storage_path, "dataset": self.dataset}


class JobPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One job, as opaque text in the ledger.

    Attributes:
        target: Resolved name: logical, under the scripts root, or absolute; as written if unresolvable.
        params: The job's parameters, a JSON object.
        source: Partition hint.
        category: Partition hint.
        path: Absolute path of the script; None if the target could not be resolved.
        problem: Why it could not.
        run_id: Run id of the first attempt where the user named it (a root without seeds).
        job_id: The user's id of the job.
        parent_run_id: Run that emitted it (of a root: ``--parent-run-id``).
        parent_job: Job key of that run.
        root_run_id: Root of the lineage; None for a root.
        first_attempt: Number of its first attempt where it is not the plan's (a retried job of another
            crawl).
        proxy: Pool of its runs; None is no proxy.
    """

    target: str
    params: dict[str, Any]
    source: str
    category: str
    path: str | None = None
    problem: str | None = None
    run_id: str | None = None
    job_id: str | None = None
    parent_run_id: str | None = None
    parent_job: str | None = None
    root_run_id: str | None = None
    first_attempt: int | None = None
    proxy: str | None = None


def encode(value: CrawlPlan | JobPayload) -> str:
    """Give the JSON text that the ledger keeps."""
    return msgspec.json.encode(value).decode()


def decode_plan(text: str | bytes) -> CrawlPlan:
    """Read a plan back.

    Raises:
        SchedulerError: The text is of another version of Quarry, or damaged.
    """
    try:
        return _PLAN_DECODER.decode(text)
    except msgspec.MsgspecError as error:
        raise SchedulerError(f"the crawl's plan in the ledger can't be read: {error}") from error


def decode_payload(text: str | bytes) -> JobPayload:
    """Read a job's payload back.

    Raises:
        SchedulerError: The text is of another version of Quarry, or damaged.
    """
    try:
        return _PAYLOAD_DECODER.decode(text)
    except msgspec.MsgspecError as error:
        raise SchedulerError(f"a job's payload in the ledger can't be read: {error}") from error


# Made here, not at the first use: msgspec reads a type without a lock, and two threads that decode one
# for the first time at once end the process (a segmentation fault in 0.22.0).
_PLAN_DECODER = msgspec.json.Decoder(CrawlPlan)
_PAYLOAD_DECODER = msgspec.json.Decoder(JobPayload)
