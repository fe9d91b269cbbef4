"""The Celery application: settings and the one task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import Celery

from quarry.redisio import broker_url as kombu_url
from quarry.tasks.consumer import RunConsumer
from quarry.tasks.counts import MessageCounts
from quarry.tasks.events import FlushEvents
from quarry.tasks.job import TASK_NAME
from quarry.tasks.request import RunRequest
from quarry.tasks.startup import StartupChecks
from quarry.tasks.transport import make_amqp

if TYPE_CHECKING:
    from collections.abc import Sequence

HTTP_QUEUE = "quarry"
"""The list of runs of the http profile."""

BROWSER_QUEUE = "quarry.browser"
"""The list of runs of the browser profile."""

DEFAULT_CONCURRENCY = 64
"""Runs at once in a worker that was started without ``--concurrency``."""

DEFAULT_GRACE_S = 30.0
"""Seconds that a warm shutdown waits for runs; what is cut is delivered again."""


def make_app(
    broker_url: str,
    *,
    queue: str = HTTP_QUEUE,
    queues: Sequence[str] = (),
    concurrency: int = DEFAULT_CONCURRENCY,
    growth: int = 1,
    deliverer: str = "quarry.wiring:make_deliverer",
    grace_s: float = DEFAULT_GRACE_S,
) -> Celery:
    """Make a Celery application for Quarry's workers and for those who watch them.

    Args:
        broker_url: In redis-py's or kombu's spelling; empty for an app that only `quarry worker` tooling
            inspects (its pool refuses to start).
        queue: The Redis list on which the ledger pushes envelopes.
        queues: The lists that a worker serves, in place of `queue`; each in turn, so that none is starved.
        concurrency: Runs at once in a worker that was started without ``--concurrency``.
        growth: How many times its first concurrency a worker may be grown to by remote control.
        deliverer: ``package.module:function`` that makes what the pool runs.
        grace_s: Seconds that a warm shutdown waits for running deliveries.

    Raises:
        ConfigError: The broker's scheme is not served.
    """
    counts = MessageCounts()
    app = Celery("quarry", fixups=[], amqp=make_amqp(counts))
    app.quarry_counts = counts
    served = tuple(queues) or (queue,)
    app.conf.update(
        **_BROKER,
        **_WORKER,
        **_TASKS,
        worker_concurrency=concurrency,
        task_default_queue=served[0],
        task_queues={name: {"exchange": name, "routing_key": name} for name in served},
        quarry_growth=growth,
        quarry_autoscale_max=0,
        quarry_deliverer=deliverer,
        quarry_grace_s=grace_s,
        quarry_cancel_s=8.0,  # an executor has TERM, 5 s, KILL
        quarry_start_s=60.0,
    )
    if broker_url:
        app.conf.broker_url = kombu_url(broker_url)
    app.steps["worker"].add(StartupChecks)
    app.steps["consumer"].add(FlushEvents)
    # Not shared: such a task would join every app of the process.
    request = f"{RunRequest.__module__}:{RunRequest.__qualname__}"
    app.task(name=TASK_NAME, shared=False, Request=request)(_run)
    return app


def _run(crawl: str, key: str) -> dict[str, Any]:
    """Stand for the task's name: the pool awaits the deliverer itself and never calls this."""
    raise RuntimeError(f"{crawl}/{key}: {TASK_NAME} needs worker_pool=quarry.tasks.pool:RunPool")


_BROKER: dict[str, Any] = {
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,  # for ever: a crawl waits for its Redis
    "broker_channel_error_retry": True,  # a Redis that refuses a command (OOM, read-only) is waited for
    "broker_pool_acquire_timeout": 30,
    "broker_transport_options": {
        # Messages are acknowledged at once and the ledger repairs losses: the transport's unacked hash
        # would cost two round trips a message for nothing.
        "ack_emulation": False,
        # Seconds of one BRPOP. A closing worker waits for the last one, lest it loses what that pops; with
        # kombu's 1 s every `quarry run` would end a second later.
        "polling_interval": 0.25,
        "priority_steps": [0],  # one list: the ledger compares its oldest message with what it published
        "visibility_timeout": 3600,
        "socket_timeout": 10,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
    },
}

_WORKER: dict[str, Any] = {
    "worker_pool": "quarry.tasks.pool:RunPool",
    "worker_consumer": f"{RunConsumer.__module__}:{RunConsumer.__qualname__}",
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    "worker_enable_prefetch_count_reduction": False,  # after a reconnect the slots are the same
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_send_task_events": True,
    "worker_max_tasks_per_child": 1000,  # the prefork fallback only
}

_TASKS: dict[str, Any] = {
    "task_acks_late": False,
    "task_ignore_result": True,
    "result_backend": None,
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_send_sent_event": False,  # Lua sends the envelopes and can send no event
    "timezone": "UTC",
    "enable_utc": True,
}
