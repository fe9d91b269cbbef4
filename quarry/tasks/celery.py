"""The application that ``celery -A quarry.tasks`` finds.

Read from the environment when a worker or Flower imports it: ``QUARRY_BROKER``, or the ``--broker`` that
Celery's command line puts into ``CELERY_BROKER_URL``.
"""

from __future__ import annotations

import os

from celery import signals

from quarry.tasks.app import make_app
from quarry.tasks.logs import configure_logging

# The one object at module level: `celery -A` can name nothing but an attribute of a module. Nothing else
# imports this one; code that needs an app calls make_app.
app = make_app(os.environ.get("QUARRY_BROKER") or os.environ.get("CELERY_BROKER_URL", ""))

signals.setup_logging.connect(configure_logging, dispatch_uid="quarry.tasks.logs")
