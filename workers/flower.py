"""What ``celery -A workers.flower flower`` shows: the application, and Flower's settings.

The broker is ``QUARRY_BROKER``. The settings of `flower_settings` are defaults: a ``FLOWER_*`` variable and a
flag beat them (``FLOWER_PORT=80``, ``--port=80``). The password belongs into the environment, as
``FLOWER_BASIC_AUTH=user:password``, since a process list shows flags. docs/monitoring.md
explains each setting.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flower.options import options

from quarry.errors import ConfigError
from quarry.tasks.app import make_app
from workers.flower_settings import make_defaults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery import Celery


def make_flower_app(environ: Mapping[str, str]) -> Celery:
    """Make the application that Flower watches, and set Flower's defaults.

    Raises:
        SystemExit: No broker is named, or its address is malformed; the message shows no address.
    """
    broker = environ.get("QUARRY_BROKER") or environ.get("CELERY_BROKER_URL", "")
    if not broker:
        sys.exit("flower: no broker: set QUARRY_BROKER to redis://HOST:PORT/DB or unix:///PATH")
    try:
        made = make_app(broker)
    except ConfigError as error:
        sys.exit(f"flower: {error.message}")
    defaults = make_defaults(environ)
    # Flower unpickles this file when it starts: nobody else may write there.
    Path(defaults["db"]).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, value in defaults.items():
        setattr(options, name, value)
    return made


# Named by `celery -A workers.flower`; nothing imports it.
app = make_flower_app(os.environ)
