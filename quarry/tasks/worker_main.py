"""An embedded worker's process: ``python -m quarry.tasks.worker_main``.

It differs from ``celery -A quarry.tasks worker`` in what a parent needs: it says when it is ready, and it
ends when the pipe on its standard input closes, whatever became of the parent.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import warnings
from typing import Any

from celery import signals
from celery.exceptions import SecurityWarning

from quarry.tasks.app import DEFAULT_GRACE_S, make_app
from quarry.tasks.logs import configure_logging


def main(argv: list[str] | None = None) -> int:
    """Run a worker until it is told to stop.

    The broker's URL is taken from ``QUARRY_BROKER`` and removed from the environment, so that neither a
    process list nor a script sees its password.

    Returns:
        The exit code: 0 after a shutdown that was asked for.
    """
    options = _parse(argv)
    os.set_inheritable(options.ready_fd, False)
    threading.Thread(target=_end_with_parent, name="quarry-parent-watch", daemon=True).start()
    app = make_app(
        os.environ.pop("QUARRY_BROKER", ""),
        queue=options.queue,
        grace_s=options.grace_s,
        **({"deliverer": options.deliverer} if options.deliverer else {}),
    )
    signals.setup_logging.connect(configure_logging)
    # Meant for workers that unpickle; this one accepts JSON and runs as whoever started the command.
    warnings.filterwarnings("ignore", category=SecurityWarning)

    def say_ready(**_: Any) -> None:
        os.write(options.ready_fd, b"ready\n")
        os.close(options.ready_fd)

    signals.worker_ready.connect(say_ready)
    worker = app.Worker(
        hostname=options.hostname,
        concurrency=options.concurrency,
        loglevel=options.log_level,
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="quarry.tasks.worker_main")
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--hostname", required=True)
    parser.add_argument("--ready-fd", type=int, required=True)
    parser.add_argument("--queue", default="quarry")
    parser.add_argument("--deliverer", default="")
    parser.add_argument("--grace-s", type=float, default=DEFAULT_GRACE_S)
    parser.add_argument("--log-level", default="INFO")
    options = parser.parse_args(argv)
    if options.concurrency < 1:
        parser.error("--concurrency must be at least 1")
    return options


def _end_with_parent() -> None:
    """Wait for the end of standard input, then end this process at once.

    Linux also sends the parent-death signal; this covers other systems, and a parent whose starting thread
    ended before it did.
    """
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
