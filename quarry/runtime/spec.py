"""What is asked of the runtime, and the request that an executor gets for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from quarry.ipc import RunRequest
from quarry.version import CONTRACT_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quarry.types import RunIdentity, Secret
    from quarry.types.proxy import Endpoint


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One run to execute.

    Attributes:
        identity: The run and its lineage.
        script: As the executor shall get it: a path, or the name of a module.
        job: Parameters of the job; any JSON value.
        dataset: Dataset id.
        source: Partition value.
        category: Partition value.
        day: UTC day on which the crawl began, ``YYYY-MM-DD``.
        files_prefix: Where ``storage.put`` lands, for the script to know; relative to the dataset's root.
        timeout_ms: Deadline, from the moment at which the executor is asked; milliseconds.
        resolve_from: Folder for a script's own imports; of a pool, the pool's counts.
        proxy: The run's first endpoint; its password reaches the executor alone.
        secrets: What was looked up for the job, by name; struck out of what the run says.
        browser_ws_endpoint: A browser to use instead of an own one.
    """

    identity: RunIdentity
    script: str
    job: Any = field(repr=False)
    dataset: str
    source: str
    category: str
    day: str
    files_prefix: str
    timeout_ms: int
    resolve_from: str | None = None
    proxy: Endpoint | None = None
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    browser_ws_endpoint: str | None = None


def make_request(spec: RunSpec, *, credit_bytes: int | None = None) -> RunRequest:
    """Make the request of a run.

    Args:
        spec: The run.
        credit_bytes: The run's window in serving mode; None makes a single-shot request, which names no
            script either (that is in the executor's argv).
    """
    identity = spec.identity
    return RunRequest(
        run_id=identity.run_id,
        attempt=identity.attempt,
        job=spec.job,
        job_id=identity.job_id,
        parent_run_id=identity.parent_run_id,
        root_run_id=identity.root_run_id,
        depth=identity.depth,
        proxy=None if spec.proxy is None else wire_proxy(spec.proxy),
        browser_ws_endpoint=spec.browser_ws_endpoint,
        storage={
            "dataset": spec.dataset,
            "source": spec.source,
            "category": spec.category,
            "day": spec.day,
            "run_id": identity.run_id,
            "files_prefix": spec.files_prefix,
        },
        contract_version=CONTRACT_VERSION,
        script=None if credit_bytes is None else spec.script,
        credit_bytes=credit_bytes,
    )


def wire_proxy(endpoint: Endpoint) -> dict[str, Any]:
    """Give an endpoint as the executor gets it, with its password."""
    found = endpoint.public()
    return found if endpoint.password is None else {**found, "password": endpoint.password.reveal()}


def request_line(spec: RunSpec) -> bytes:
    """Give the single-shot request: one line of JSON; absent options are left out."""
    fields: dict[str, Any] = msgspec.to_builtins(make_request(spec))
    fields.pop("type")
    return msgspec.json.encode(fields) + b"\n"
