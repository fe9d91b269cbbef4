"""What a worker looks at before it starts: its broker, and the folders that its environment names.

It refuses what would lose work later, in one sentence a problem; what only promises less it logs.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any, NoReturn

import structlog
from celery import bootsteps

from quarry.errors import ConfigError
from quarry.lode.probe import probe_storage
from quarry.redisio import Finding, Reach, Severity, check_broker, client_url, read_broker_facts, redacted
from quarry.tasks.logs import log_descriptors
from quarry.tasks.places import check_scripts_root, check_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from quarry.redisio import BrokerFacts

EXIT_REFUSED = 64
"""Exit code of a worker that refused to start: as the command's for usage and configuration."""

NO_BROKER = "no broker: set QUARRY_BROKER to redis://HOST:PORT/DB or unix:///PATH"

_FIRST_PAUSE_S = 0.5
_MAX_PAUSE_S = 5.0
_SECRETS = ("QUARRY_BROKER", "CELERY_BROKER_URL")


class StartupChecks(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no types
    """Worker step that looks before anything is opened, and takes the broker out of the environment.

    Executors inherit the environment, and scripts must not find the ledger there. It is put back at the end:
    Celery's restart on SIGHUP reads it again.
    """

    def __init__(self, worker: Any, autoscale: Any = None, **kwargs: Any) -> None:
        check_worker(str(worker.app.conf.broker_url or ""), os.environ)
        if autoscale:  # "10,2" or (10, 2); the pool itself is told the smaller number only
            most = autoscale.partition(",")[0] if isinstance(autoscale, str) else autoscale[0]
            worker.app.conf.quarry_autoscale_max = int(most)
        self._secrets = {name: os.environ.pop(name) for name in _SECRETS if name in os.environ}
        super().__init__(worker, **kwargs)

    def start(self, worker: Any) -> None:
        """Do nothing: all was done when the step was made, before anything was opened."""

    def stop(self, worker: Any) -> None:  # noqa: ARG002 -- celery's signature
        """Put the environment back."""
        os.environ.update(self._secrets)


def check_worker(
    broker: str, environ: Mapping[str, str], *, pause: Callable[[float], None] = time.sleep
) -> None:
    """Refuse to start, or return.

    A Redis that is away is waited for, for ever, and the log says so.

    Args:
        broker: The broker's address, in either spelling; empty where none is named.
        environ: ``QUARRY_STORAGE_PATH`` and ``QUARRY_SCRIPTS_ROOT`` are looked at where they are set.
        pause: Sleeps for seconds.

    Raises:
        SystemExit: It refused, and said why on standard error.
    """
    log = structlog.get_logger("quarry.tasks")
    if not broker:
        refuse([NO_BROKER])
    try:
        url = client_url(broker)
        found = [*check_places(environ), *check_broker(_wait_broker(url, log, pause), redacted(url))]
    except ConfigError as error:
        refuse(error.problems)
    broken = [finding.sentence() for finding in found if finding.severity is Severity.BROKEN]
    if broken:
        refuse(broken)
    for finding in found:
        if finding.severity is Severity.WARNING:
            log.warning("worker.check", check=finding.check, what=finding.what, mend=finding.mend)


def check_places(environ: Mapping[str, str]) -> list[Finding]:
    """Look at the folders that the environment names, and the file of ``QUARRY_CONFIG`` if it names one.

    Raises:
        ConfigError: That file is wrong.
    """
    found = []
    if storage := environ.get("QUARRY_STORAGE_PATH"):
        found.append(check_storage(probe_storage(os.path.expanduser(storage)), required=True))
    if root := _scripts_root(environ):
        found.append(check_scripts_root(root, is_folder=os.path.isdir(root)))
    return found


def _scripts_root(environ: Mapping[str, str]) -> str | None:
    if environ.get("QUARRY_CONFIG"):
        from quarry.config.worker import load_worker_settings

        return load_worker_settings(environ, os.getcwd()).scripts_root
    root = environ.get("QUARRY_SCRIPTS_ROOT")
    return os.path.expanduser(root) if root else None


def refuse(problems: list[str]) -> NoReturn:
    """End the process with one line a problem on standard error, and in the log file where there is one.

    A detached worker has no standard error.
    """
    lines = "".join(f"quarry worker: {problem}\n" for problem in problems).encode("utf-8", "backslashreplace")
    for descriptor in {2, *log_descriptors()}:
        os.write(descriptor, lines)
    raise SystemExit(EXIT_REFUSED)


def _wait_broker(url: str, log: Any, pause: Callable[[float], None]) -> BrokerFacts:
    pause_s = _FIRST_PAUSE_S
    while (facts := asyncio.run(read_broker_facts(url))).reach is Reach.AWAY:
        log.warning("broker.waiting", address=redacted(url), reason=facts.detail, again_in_s=pause_s)
        pause(pause_s)
        pause_s = min(pause_s * 2, _MAX_PAUSE_S)
    return facts
