"""The applications of workers on a fleet: what ``celery -A …`` finds, made from the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from celery import signals

from quarry.config.durations import parse_duration_ms
from quarry.errors import ConfigError
from quarry.tasks.app import BROWSER_QUEUE, DEFAULT_GRACE_S, HTTP_QUEUE, make_app
from quarry.tasks.capacity import GROWTH, Profile, decide_concurrency
from quarry.tasks.logs import configure_logging
from quarry.tasks.machine import read_figures
from quarry.tasks.startup import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery import Celery

QUEUES: Mapping[Profile, tuple[str, ...]] = {
    Profile.HTTP: (HTTP_QUEUE,),
    Profile.BROWSER: (BROWSER_QUEUE,),
    Profile.ALL: (HTTP_QUEUE, BROWSER_QUEUE),
}
"""The lists that a worker of each profile serves."""


def make_worker_app(profile: Profile) -> Celery:
    """Make the application that a module names for ``celery -A``; for workers and whoever watches them.

    The environment says the rest: ``QUARRY_BROKER``, or the ``--broker`` that Celery's command line puts into
    ``CELERY_BROKER_URL``, and ``QUARRY_WORKER_GRACE``, how long a warm shutdown waits for runs.

    Args:
        profile: The runs that its workers serve.

    Raises:
        SystemExit: The environment makes no sense; standard error says why.
    """
    try:
        broker = broker_of(os.environ)
        grace_s = grace_of(os.environ)
        concurrency = decide_concurrency(read_figures(), profile)
        app = make_app(
            broker,
            queues=QUEUES[profile],
            concurrency=concurrency,
            growth=GROWTH,
            grace_s=grace_s,
        )
    except ConfigError as error:
        refuse(error.problems)
    signals.setup_logging.connect(configure_logging, dispatch_uid="quarry.tasks.logs")
    return app


def broker_of(environ: Mapping[str, str]) -> str:
    """Give the broker's address; empty where none is named.

    Raises:
        ConfigError: Two different ones are named: a variable that was meant for another program must not
            lead a worker astray, nor one of ours beat what somebody typed.
    """
    ours, celerys = environ.get("QUARRY_BROKER", ""), environ.get("CELERY_BROKER_URL", "")
    if ours and celerys and ours != celerys:
        raise ConfigError(
            "QUARRY_BROKER and Celery's --broker (CELERY_BROKER_URL) name different brokers: unset one"
        )
    return ours or celerys


def grace_of(environ: Mapping[str, str]) -> float:
    """Give the seconds that a warm shutdown waits for runs.

    Raises:
        ConfigError: ``QUARRY_WORKER_GRACE`` is no duration.
    """
    text = environ.get("QUARRY_WORKER_GRACE")
    if not text:
        return DEFAULT_GRACE_S
    try:
        return parse_duration_ms(text) / 1000
    except ValueError as error:
        raise ConfigError(f"QUARRY_WORKER_GRACE: {error}, not {text!r}") from error
