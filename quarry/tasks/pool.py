"""The worker pool: every run a coroutine on one event loop, all of Celery's state in the hub's thread.

Chosen by measurement (docs/adr): 256 runs at once in 56 MB, where prefork needs 26 MB for each, and about a
third of its CPU a task. Rejected: Celery's threads (with early acknowledgement nothing wakes the hub when a
slot frees, so refills wait for its 1 s timer, and no run can be ended), gevent (patched pipes), handing runs
to a loop and ending the Celery task at once (no bound, and a warm shutdown loses everything).

Two threads: the hub's, where Celery calls in and where results are reported, and the loop's. They meet in
``call_soon_threadsafe`` one way and in a deque with ``hub.call_soon`` the other. There are no locks, because
a QUIT handler may call `on_stop` inside the interrupted main thread.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import structlog
from celery import signals
from celery.concurrency.base import BasePool
from celery.worker import state as worker_state

from quarry.errors import ConfigError, EngineError, QuarryError
from quarry.redisio import client_url
from quarry.tasks.deliverer import CRAWL_GONE, load_factory
from quarry.tasks.job import Job, parse_arguments
from quarry.tasks.loop_thread import LoopThread
from quarry.tasks.request import RunRequest
from quarry.tasks.startup import NO_BROKER, refuse

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

    from quarry.tasks.deliverer import Deliverer

_TURN_S = 0.02
_LOOP_STOP_S = 5.0


class RunPool(BasePool):  # type: ignore[misc]  # celery has no types
    """Celery pool that awaits a deliverer's coroutines.

    Settings (on the app): ``quarry_deliverer`` dotted factory; ``quarry_grace_s`` seconds that a warm
    shutdown waits for running deliveries; ``quarry_cancel_s`` seconds that a cancelled delivery has to end
    its executor; ``quarry_start_s`` seconds that the deliverer has to start.
    """

    body_can_be_buffer = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limit: int
        self._conf = self.app.conf
        self._fewest = min(self.limit, 1)  # `--autoscale 10,0` starts with none
        self._ceiling = max(1, self.limit * self._conf.quarry_growth, self._conf.quarry_autoscale_max)
        self._log = structlog.get_logger("quarry.tasks")
        self._running: set[Job] = set()
        self._doomed: set[Job] = set()
        self._outbox: deque[tuple[Job, tuple[bool, Any, float]]] = deque()
        self._drain_due = False
        self._hub: Any = None
        self._deliverer: Deliverer | None = None
        self._loop = LoopThread("quarry-deliveries")
        self._stopping = False
        self._finished = False
        self._hurry = False
        self._signals_seen = 0

    # -- life ---------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Start the loop and the deliverer.

        Raises:
            SystemExit: It refused, and said why on standard error.
        """
        try:
            self._start()
        except QuarryError as error:
            refuse([error.message])

    def _start(self) -> None:
        if not self._conf.broker_url:
            raise ConfigError(NO_BROKER)
        url = client_url(self._conf.broker_url)
        self._deliverer = load_factory(self._conf.quarry_deliverer)(url, self.ceiling)
        signals.worker_shutting_down.connect(self._on_shutdown_signal)
        self._loop.start()
        try:
            self._loop.submit(self._deliverer.start()).result(self._conf.quarry_start_s)
        except TimeoutError as error:
            self._loop.stop(_LOOP_STOP_S)
            message = f"the worker's deliverer did not start within {self._conf.quarry_start_s:g} s"
            raise EngineError(message) from error
        except BaseException:
            self._loop.stop(_LOOP_STOP_S)
            raise

    def register_with_event_loop(self, loop: Any) -> None:
        """Remember the hub; called at each connection."""
        self._hub = loop
        self._schedule_drain()

    def on_stop(self) -> None:
        """Wait for running deliveries (none of it after a second signal), then close the deliverer.

        Celery calls this once at a warm shutdown, and from the QUIT handler, perhaps inside the former.
        """
        if self._finished:
            return
        self._hurry = self._hurry or worker_state.should_terminate not in (None, False)
        if self._stopping:
            return  # we interrupted an on_stop that now sees the hurry
        self._stopping = True
        self._wait_for_running(self._conf.quarry_grace_s, until_hurry=True)
        if self._running:
            self._log.warning("pool.deliveries_cut", count=len(self._running))
            for job in tuple(self._running):
                self._cancel(job)
            self._wait_for_running(self._conf.quarry_cancel_s, until_hurry=False)
        self._abandon_rest()
        self._stop_deliverer()
        self._finished = True
        signals.worker_shutting_down.disconnect(self._on_shutdown_signal)

    def on_terminate(self) -> None:
        """End now: as `on_stop` without the wait."""
        self._hurry = True
        self.on_stop()

    def _on_shutdown_signal(self, **_: Any) -> None:
        # Celery ignores a second TERM; people and process managers do not mean it to be ignored.
        self._signals_seen += 1
        if self._signals_seen > 1:
            self._hurry = True

    def _wait_for_running(self, limit_s: float, *, until_hurry: bool) -> None:
        deadline = time.monotonic() + limit_s
        while True:
            self._drain()
            if not self._running or time.monotonic() >= deadline or (until_hurry and self._hurry):
                return
            self._fire_timers()
            time.sleep(_TURN_S)

    def _fire_timers(self) -> None:
        """Keep heartbeats and events going while the hub stands still."""
        if self._hub is None:
            return
        try:
            self._hub.fire_timers()
        except ValueError:
            # A signal handler interrupted the hub inside its timers; they go on when it returns.
            self._log.debug("pool.timers_busy")

    def _abandon_rest(self) -> None:
        for job in tuple(self._running):
            self._log.error("pool.delivery_abandoned")
            self._settle(job, job.ended("did not end when cancelled"))

    def _stop_deliverer(self) -> None:
        if self._deliverer is not None:
            limit_s: float = self._conf.quarry_cancel_s
            stopping: Future[None] = self._loop.submit(self._deliverer.stop(limit_s))
            deadline = time.monotonic() + limit_s + 1.0
            while not stopping.done() and time.monotonic() < deadline:
                time.sleep(0.005)
            if not stopping.done():
                self._log.error("pool.deliverer_stuck")
            elif (error := stopping.exception()) is not None:
                self._log.error("pool.deliverer_stop_failed", exc_info=error)
        if not self._loop.stop(_LOOP_STOP_S):
            self._log.error("pool.loop_stuck")
        self._drain()

    # -- jobs ---------------------------------------------------------------------------------------------

    def on_apply(
        self, target: Any, args: Any = None, kwargs: Any = None, callback: Any = None, **options: Any
    ) -> Job:
        """Accept a message at once and start its delivery; never raises.

        Celery's tracer (`target`) is bypassed: what is reported is the deliverer's dict.
        """
        del target, kwargs
        job = Job(callback, self._terminate)
        self._running.add(job)
        try:
            accept = options.get("accept_callback")
            if accept is not None:
                accept(os.getpid(), time.monotonic())
            crawl, key = parse_arguments(args)
            self._loop.call(self._launch, job, crawl, key)
        except Exception as error:  # noqa: BLE001 -- it would end the consumer; it is this message's fault alone
            self.app.quarry_counts.refused += 1
            self._log.warning("pool.message_refused", reason=str(error)[:200])
            self._report(job, job.failed(error))
        return job

    def terminate_job(self, pid: int, signal: int | None = None) -> None:
        """Do nothing: all jobs share one pid, and Celery calls the job's own ``terminate`` next."""

    def _terminate(self, job: Job) -> None:
        if job in self._running:
            # Celery has given the slot away by now, while the executor still ends.
            self._doomed.add(job)
            self._cancel(job)

    def _cancel(self, job: Job) -> None:
        # Behind the job's own launch in the loop's queue, so the task is there.
        self._loop.call(lambda: job.task is not None and job.task.cancel())

    def _launch(self, job: Job, crawl: str, key: str) -> None:
        job.task = self._loop.create_task(self._deliver(crawl, key))
        # Not inside the coroutine: one that is cancelled before its first step never enters its body.
        job.task.add_done_callback(lambda task: self._report(job, self._outcome(job, task)))

    async def _deliver(self, crawl: str, key: str) -> dict[str, Any]:
        assert self._deliverer is not None  # noqa: S101 -- on_start made it
        try:
            return await self._deliverer.deliver(crawl, key)
        except (SystemExit, KeyboardInterrupt) as error:
            # Either would end the loop under all other deliveries.
            raise RuntimeError(f"{type(error).__name__} in a delivery: {error}") from error

    def _outcome(self, job: Job, task: asyncio.Task[Any]) -> tuple[bool, Any, float]:
        if task.cancelled():
            return job.ended("cancelled")
        error = task.exception()
        if error is not None:
            self._log.error("delivery.failed", exc_info=error)
            return job.failed(error)
        result = task.result()
        if result.get("outcome") == CRAWL_GONE:
            self.app.quarry_counts.crawl_gone += 1
        return job.delivered(result)

    # -- results, from the loop's thread to the hub's ------------------------------------------------------

    def _report(self, job: Job, outcome: tuple[bool, Any, float]) -> None:
        self._outbox.append((job, outcome))
        if not self._drain_due:
            self._schedule_drain()

    def _schedule_drain(self) -> None:
        if self._hub is not None:
            self._drain_due = True
            self._hub.call_soon(self._drain)

    def _drain(self) -> None:
        self._drain_due = False
        while self._outbox:
            try:
                job, outcome = self._outbox.popleft()
            except IndexError:  # a signal handler drained in between
                return
            self._settle(job, outcome)

    def _settle(self, job: Job, outcome: tuple[bool, Any, float]) -> None:
        if job not in self._running:
            return
        self._running.discard(job)
        self._doomed.discard(job)
        if job.callback is None:
            return
        request = getattr(job.callback, "__self__", None)
        if job.retries is not None and isinstance(request, RunRequest):
            request.shown = {"retries": job.retries, "runtime": outcome[2]}
        try:
            job.callback(outcome)
        except Exception:  # noqa: BLE001 -- what Celery raises here must not keep the other results
            self._log.exception("pool.callback_failed")
            if request is not None:
                worker_state.task_ready(request)

    # -- what Celery asks ---------------------------------------------------------------------------------

    @property
    def num_processes(self) -> int:
        """Slots; read before each BRPOP, so jobs that were revoked and still end are taken off."""
        return max(0, self.limit - len(self._doomed))

    @property
    def ceiling(self) -> int:
        """Most slots that it can be grown to: what the deliverer is made for."""
        return int(self._ceiling)

    def grow(self, n: int = 1) -> None:
        """Add slots (remote control, autoscale), up to the ceiling."""
        wanted = self.limit + n
        self.limit = min(wanted, self.ceiling)
        if wanted > self.limit:
            # Not an error: the autoscaler calls this in the hub, where one would end the worker.
            self._log.warning("pool.at_ceiling", wanted=wanted, ceiling=self.limit)

    def shrink(self, n: int = 1) -> None:
        """Take slots away (remote control, autoscale); what runs goes on."""
        self.limit = max(self._fewest, self.limit - n)

    def _get_info(self) -> dict[str, Any]:
        info: dict[str, Any] = super()._get_info()
        info.update(
            {
                "processes": [os.getpid()],
                "max-concurrency": self.limit,
                "ceiling": self.ceiling,
                "running": len(self._running),
                "ending": len(self._doomed),
                "max-tasks-per-child": None,
                "put-guarded-by-semaphore": False,
                "timeouts": (),
                "messages": self.app.quarry_counts.as_dict(),
            }
        )
        return info
