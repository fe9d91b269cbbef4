"""Executing a run up to its record: writer, policy, runtime, seal. Puts nothing."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec
import structlog

from quarry.crawl.figures import Figures, NoFigures
from quarry.crawl.granting import Granting, NotGrantedError
from quarry.crawl.records import make_record
from quarry.errors import ProtocolError, QuarryError, StoreError
from quarry.lode import build_files_prefix
from quarry.policy import make_policy
from quarry.runtime import RunReport, RunSpec
from quarry.types import Outcome, OutcomeStatus

if TYPE_CHECKING:
    from quarry.crawl.granting import Grant
    from quarry.crawl.local_scripts import LocalScript
    from quarry.crawl.plan import CrawlPlan, JobPayload
    from quarry.crawl.scripts import ScriptHashes
    from quarry.crawl.threads import Threads
    from quarry.lode import CommitRecord, Dataset, RunWriter, Sealed
    from quarry.policy import Policy
    from quarry.runtime import FilePut, OnEnqueue, OnRotate
    from quarry.types import RunIdentity


class Runner(Protocol):
    """What executes a run: Quarry's own executor pool, or a foreign executor."""

    async def execute(
        self,
        spec: RunSpec,
        *,
        policy: Policy,
        put_file: FilePut,
        on_enqueue: OnEnqueue | None = None,
        on_rotate: OnRotate | None = None,
        cancel: asyncio.Event | None = None,
    ) -> RunReport:
        """Execute one run to its outcome."""
        ...


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What every execution in a process shares."""

    dataset: Dataset
    runner: Runner
    threads: Threads
    hashes: ScriptHashes
    figures: Figures = field(default_factory=NoFigures)
    granting: Granting = field(default_factory=Granting)


class Attempt:
    """One execution of one run.

    Args:
        plan: The crawl.
        tools: What executes and stores.
        key: Job key.
        job: Its payload.
        identity: The run.
        token: TOKEN of this delivery; every path that it writes contains it.
        deliveries: Number of this delivery, from 1.
        script: Its script on this machine.
        elsewhere: Whether another machine may still get the run if this one lacks its pool or a secret.
    """

    def __init__(
        self,
        *,
        plan: CrawlPlan,
        tools: Tools,
        key: str,
        job: JobPayload,
        identity: RunIdentity,
        token: str,
        deliveries: int,
        script: LocalScript,
        elsewhere: bool = False,
    ) -> None:
        self._plan = plan
        self._script = script
        self._tools = tools
        self._key = key
        self._job = job
        self._identity = identity
        self._token = token
        self._deliveries = deliveries
        self._elsewhere = elsewhere
        self._writer: RunWriter = tools.dataset.writer(
            crawl=plan.crawl,
            day=plan.day,
            source=job.source,
            category=job.category,
            identity=identity,
            token=token,
        )
        self._policy = make_policy(plan.policy, self._writer)
        self._log = structlog.get_logger("quarry.crawl").bind(
            crawl=plan.crawl, run_id=identity.run_id, attempt=identity.attempt
        )

    async def execute(
        self, *, on_enqueue: OnEnqueue | None, cancel: asyncio.Event | None
    ) -> RunReport | None:
        """Execute the run.

        Args:
            on_enqueue: Told of enqueue events before the policy sees them.
            cancel: Ends the run now.

        Returns:
            The runtime's report; None where the run was cancelled, and its files are gone then.

        Raises:
            NotGrantedError: This machine lacks what the run needs; its files are gone.
        """
        if self._script.refusal is not None or self._script.path is None:
            return RunReport.not_started(self._script.refusal or self._unresolved(), time.time())
        try:
            report = await self._granted(self._script.path, on_enqueue=on_enqueue, cancel=cancel)
        except ProtocolError as error:
            return self._broken_off(error.message, "protocol")
        except (QuarryError, asyncio.CancelledError):
            # Redis, the storage or its pool is away, or the worker ends: the run is delivered again.
            await self.discard()
            raise
        except Exception as error:  # noqa: BLE001
            # A fault of Quarry's own must not hold a lease until it lapses: it is the run's outcome, named.
            self._log.exception("run.internal_error")
            return self._broken_off(f"internal error: {type(error).__name__}: {error}", "internal_error")
        if cancel is not None and cancel.is_set():
            await self.discard()
            return None
        return report

    async def _granted(
        self, script: str, *, on_enqueue: OnEnqueue | None, cancel: asyncio.Event | None
    ) -> RunReport:
        """Execute with an endpoint and secrets, where the run needs any; report how the endpoints did."""
        granted = await self._tools.granting.grant(self._plan, self._key, self._job)
        if isinstance(granted, Outcome):
            if self._elsewhere:
                raise NotGrantedError(granted.message, granted)
            return RunReport.not_started(granted, time.time())
        proxy, report = granted.proxy, None
        try:
            report = await self._tools.runner.execute(
                self._spec(script, granted),
                policy=self._policy,
                put_file=self._writer.put_file,
                on_enqueue=on_enqueue,
                on_rotate=proxy.rotate if proxy else None,
                cancel=cancel,
            )
        finally:
            if proxy is not None:
                await proxy.finish(report.proxy_use if report else [])
        if proxy is None:
            return report
        used = report.proxy_used or proxy.endpoint.public()
        told = {**used, "pool": proxy.pool.name, "reason": proxy.reason}
        return msgspec.structs.replace(report, proxy_used=told)

    async def seal(self, report: RunReport, *, enqueue_events: int) -> CommitRecord:
        """Make the run's files durable under their final names, and the record that names them.

        Args:
            report: Of the execution.
            enqueue_events: Enqueue events that the ledger was told of, persisted or not.

        Returns:
            The record, not put yet. A storage that fails here makes it a ``policy_failure`` without files.
        """
        outcome = report.outcome
        sealed: Sealed | None = None
        metrics = {
            "duration_ms": report.duration_ms,
            "outcome": outcome.status.value,
            "received": report.counters,
            "artifact_bytes": report.artifacts.bytes,
            "files": report.files.ok,
            "deliveries": self._deliveries,
        }
        try:
            sealed = await self._tools.threads.run(self._writer.seal, metrics)
        except StoreError as error:
            self._log.error("storage.seal_failed", kind=error.kind, error=error.message)
            outcome = Outcome(
                status=OutcomeStatus.POLICY_FAILURE,
                message=error.message,
                error_type=f"storage_{error.kind}",
            )
        except Exception as error:  # noqa: BLE001
            self._log.exception("run.internal_error")
            outcome = Outcome(
                status=OutcomeStatus.POLICY_FAILURE,
                message=f"internal error while its rows were stored: {type(error).__name__}: {error}",
                error_type="internal_error",
            )
        record = make_record(
            plan=self._plan,
            key=self._key,
            job=self._job,
            identity=self._identity,
            token=self._token,
            deliveries=self._deliveries,
            script=self._script.path,
            script_sha256=self._sha256(),
            report=report,
            outcome=outcome,
            sealed=sealed,
            counters=self._policy.counters(),
            enqueue_events=enqueue_events,
        )
        if report.stderr_tail:
            self._log.info("run.output", text=report.stderr_tail)
        self._log.info(
            "run.finished",
            outcome=outcome.status.value,
            error_type=outcome.error_type,
            message=outcome.message,
            events=record.event_count,
            duration_ms=record.duration_ms,
        )
        counters = self._policy.counters()
        self._tools.figures.run_ended(
            outcome.status.value,
            report.duration_ms / 1000,
            received=counters.received,
            dropped=counters.dropped,
            stored_bytes=sum(f.bytes for f in record.files) + sum(f.bytes for f in record.sidecars),
        )
        return record

    async def conclude(self, standing: CommitRecord) -> None:
        """Remove what no record will name: the live segment after a commit, all files after a lost race."""
        if standing.token == self._token:
            await self._tools.threads.run(self._writer.drop_live)
        else:
            self._log.info("run.lost_race", winner=standing.token)
            await self.discard()

    def leave(self) -> None:
        """Close its files and leave them: no record was put, or its fate is unknown."""
        self._writer.close()

    async def discard(self) -> None:
        """Remove everything that this delivery wrote."""
        await self._tools.threads.run(self._writer.discard)

    def _spec(self, script: str, granted: Grant) -> RunSpec:
        plan, job = self._plan, self._job
        return RunSpec(
            identity=self._identity,
            script=script,
            job=granted.params,
            secrets=granted.secrets,
            proxy=granted.proxy.endpoint if granted.proxy else None,
            dataset=plan.dataset,
            source=job.source,
            category=job.category,
            day=plan.day,
            files_prefix=build_files_prefix(
                source=job.source,
                category=job.category,
                day=plan.day,
                run_id=self._identity.run_id,
                token=self._token,
            ),
            timeout_ms=plan.timeout_ms,
            resolve_from=plan.resolve_from,
        )

    def _sha256(self) -> str | None:
        """Give the hash of the script: the one that was compared, else of the file.

        On the event loop: without a fleet the file is one of this machine's own that the executor has just
        read, and once its hash is known this is a stat of some microseconds, where a thread takes a hundred.
        """
        if self._script.path is None:
            return None
        return self._script.sha256 or self._tools.hashes.sha256(self._script.path)

    def _broken_off(self, message: str, error_type: str) -> RunReport:
        outcome = Outcome(status=OutcomeStatus.EXECUTOR_CRASH, message=message, error_type=error_type)
        return RunReport.not_started(outcome, time.time())

    def _unresolved(self) -> Outcome:
        return Outcome(
            status=OutcomeStatus.EXECUTOR_CRASH,
            message=self._job.problem or f"target {self._job.target!r} could not be resolved",
            error_type="unresolved_target",
        )
