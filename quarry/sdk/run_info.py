"""Who the run is, as its script sees it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class RunInfo:
    """Identity and lineage of a run.

    Attributes:
        run_id: The same for every delivery of the run.
        attempt: From 1.
        job_id: The user's id of the job, where given.
        parent_run_id: The run that emitted the enqueue; above attempt 1 the attempt before.
        root_run_id: Root of the lineage; of a root its own ``run_id``.
        depth: Derivation depth; a root has 0.
    """

    run_id: str
    attempt: int
    job_id: str | None = None
    parent_run_id: str | None = None
    root_run_id: str | None = None
    depth: int = 0
