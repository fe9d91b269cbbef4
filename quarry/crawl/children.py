"""From an enqueue event to the job that the ledger admits. Pure but for looking whether a script exists."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from quarry.crawl.plan import CrawlPlan, JobPayload, encode
from quarry.crawl.targets import ResolvedTarget, resolve
from quarry.errors import ConfigError
from quarry.lode.layout import RunFolder, check_names
from quarry.scheduler import NewJob, job_key

if TYPE_CHECKING:
    from collections.abc import Mapping

QUEUE = "quarry"
"""The broker's list of the default profile."""

DEFAULT_PROFILE = "http"

NO_POOL = "none"
"""At a script: no proxy, whatever its parent has."""

_MAX_REPR = 160


class PoolEntry(Protocol):
    """What an entry of ``scripts:`` says of a script's pool."""

    @property
    def path(self) -> str:
        """Absolute path of the script."""
        ...

    @property
    def proxy(self) -> str | None:
        """Pool of its runs, ``none`` for none; None inherits."""
        ...


class Parent:
    """What a child takes from the run that emitted it.

    Args:
        run_id: The emitting run.
        key: Its job key.
        root_run_id: Root of the lineage.
        script: Absolute path of its script; targets are looked up beside it first.
        source: Inherited unless the event or the configuration says otherwise.
        category: Likewise.
        depth: Depth of the emitting run.
        proxy: Pool of the emitting run.

    Attributes:
        resolved: Targets that it named, looked up once a run.
    """

    __slots__ = ("category", "depth", "key", "proxy", "resolved", "root_run_id", "run_id", "script", "source")

    def __init__(
        self,
        *,
        run_id: str,
        key: str,
        root_run_id: str,
        script: str | None,
        source: str,
        category: str,
        depth: int,
        proxy: str | None = None,
    ) -> None:
        self.run_id = run_id
        self.key = key
        self.root_run_id = root_run_id
        self.script = script
        self.source = source
        self.category = category
        self.depth = depth
        self.proxy = proxy
        self.resolved: dict[str, ResolvedTarget] = {}


def resolve_target(plan: CrawlPlan, target: str, script: str | None) -> ResolvedTarget:
    """Resolve a target as the given script would name it."""
    return resolve(
        target,
        emitter_dir=os.path.dirname(script) if script else plan.cwd,
        scripts_root=plan.scripts_root,
        scripts={name: entry.path for name, entry in plan.scripts.items()},
        cwd=plan.cwd,
    )


def make_child(plan: CrawlPlan, parent: Parent, payload: Mapping[str, Any]) -> NewJob:
    """Make the job of one enqueue event.

    Args:
        plan: The crawl.
        parent: The run that emitted it.
        payload: The event's payload: target, params, perhaps source and category.

    Returns:
        The job, with its key over the resolved target and the canonical params. One that can't be executed
        (no such target, a source that can't be stored) carries the problem, as which it will end.

    Raises:
        KeyError: The payload lacks target or params.
        TypeError: params is no map.
        ValueError: params have no canonical form.
    """
    target = str(payload["target"])
    params = payload["params"]
    if not isinstance(params, dict):
        raise TypeError("payload.params must be a map")
    found = parent.resolved.get(target)
    if found is None:
        found = parent.resolved[target] = resolve_target(plan, target, parent.script)
    entry = plan.scripts.get(found.key_name)
    source = payload.get("source") or (entry and entry.source) or parent.source
    category = payload.get("category") or (entry and entry.category) or parent.category
    refused = _partition_problem(plan, source, category)
    job = JobPayload(
        target=found.key_name,
        params=params,
        source=parent.source if refused else source,
        category=parent.category if refused else category,
        path=None if refused else found.path,
        problem=refused or found.problem,
        parent_run_id=parent.run_id,
        parent_job=parent.key,
        root_run_id=parent.root_run_id,
        proxy=pool_of(entry_of(plan.scripts, found.key_name, found.path), parent.proxy),
    )
    return make_job(job, depth=parent.depth + 1, queue=queue_of(plan, found.key_name))


def entry_of(entries: Mapping[str, PoolEntry], target: str, path: str | None) -> PoolEntry | None:
    """Give the entry that says which pool a script has: that of its name, else one of its path.

    A script that is named by its path is the same script; entries of one path never differ in their pool.

    Args:
        entries: By logical name.
        target: Name of the script in job keys.
        path: Its absolute path; None where it was not found.
    """
    entry = entries.get(target)
    if entry is not None or path is None:
        return entry
    telling = [entry for entry in entries.values() if entry.proxy is not None]
    if not telling:
        return None
    real = os.path.realpath(path)  # a link to a script is that script
    return next((entry for entry in telling if os.path.realpath(entry.path) == real), None)


def pool_of(entry: PoolEntry | None, inherited: str | None) -> str | None:
    """Give the pool of a script's runs: the configuration's word, else what they inherit."""
    if entry is None or entry.proxy is None:
        return inherited
    return None if entry.proxy == NO_POOL else entry.proxy


def queue_of(plan: CrawlPlan, target: str) -> str | None:
    """Give the broker's list for the messages of a target's jobs, where it is not the crawl's own.

    One machine runs every profile: its lists are one.
    """
    entry = plan.scripts.get(target)
    if not plan.fleet or entry is None or entry.profile in {None, DEFAULT_PROFILE}:
        return None
    return f"{QUEUE}.{entry.profile}"


def _partition_problem(plan: CrawlPlan, source: object, category: object) -> str | None:
    """Say why these can't be partition values; None where they can."""
    if not isinstance(source, str) or not isinstance(category, str):
        return "source and category of an enqueue event must be text"
    try:
        check_names(crawl=plan.crawl, folder=RunFolder(source, category, plan.day, "r"))
    except ConfigError as error:
        return "; ".join(error.problems)
    return None


def make_job(job: JobPayload, *, depth: int, first_attempt: int = 1, queue: str | None = None) -> NewJob:
    """Wrap a payload for the ledger, with the name and arguments that Flower shows."""
    return NewJob(
        key=job_key(job.target, job.params),
        payload=encode(job),
        label=f"run:{job.source}/{os.path.splitext(os.path.basename(job.target))[0]}",
        repr=describe(job.params, depth),
        first_attempt=job.first_attempt or first_attempt,
        queue=queue,
    )


def describe(params: Mapping[str, Any], depth: int) -> str:
    """Give the arguments as people read them: the URL without user info, query and fragment, and the depth.

    A job without a ``url`` shows the names of its parameters only: values may be secret.
    """
    url = params.get("url")
    named = isinstance(url, str) and url
    shown = _public_url(str(url)) if named else "{" + ", ".join(sorted(params)) + "}"
    if len(shown) > _MAX_REPR:
        shown = shown[: _MAX_REPR - 1] + "…"
    return f"({shown!r}, depth={depth})"


def _public_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        query = "…" if parts.query else ""
        return urlunsplit((parts.scheme, host, parts.path, query, ""))
    except ValueError:
        return "(malformed URL)"
