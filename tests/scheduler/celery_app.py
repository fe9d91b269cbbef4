"""A Celery app with a task of the ledger's name: what it was called with goes to a Redis list."""

from __future__ import annotations

import json
import os

import redis
from celery import Celery


def make_app(broker_url: str) -> Celery:
    """An app set up as Quarry's: JSON, early acknowledgement, no results, one list."""
    app = Celery("quarry-envelope-test", broker=broker_url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_default_queue="quarry",
        broker_transport_options={"priority_steps": [0]},
        broker_connection_retry_on_startup=True,
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
    )

    @app.task(name="quarry.run", bind=True, shared=False)
    def run(task, crawl, key):
        with redis.Redis(unix_socket_path=os.environ["ENVELOPE_TEST_SOCKET"]) as client:
            request = {"id": task.request.id, "shadow": task.request.shadow, "repr": task.request.argsrepr}
            client.lpush("executed", json.dumps([crawl, key, request]))

    return app


if "ENVELOPE_TEST_BROKER" in os.environ:
    app = make_app(os.environ["ENVELOPE_TEST_BROKER"])
