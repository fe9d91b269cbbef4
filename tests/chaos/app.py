"""What `celery -A tests.chaos.app worker` finds: production's app, with a deliverer that can be disturbed."""

from __future__ import annotations

import os

from celery import signals

from quarry.tasks.app import make_app
from quarry.tasks.logs import configure_logging

app = make_app(
    os.environ["QUARRY_BROKER"], deliverer="tests.chaos.deliverer:make_watched_deliverer", grace_s=20.0
)

signals.setup_logging.connect(configure_logging, dispatch_uid="tests.chaos.logs")
