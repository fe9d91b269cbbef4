"""A process that has everything imported and forks a worker process for each line that it is told.

Each worker process is a real one, with threads, connections and executors of its own, and dies of a real SIGKILL; but
it starts in milliseconds. The zygote itself has neither threads nor connections: nothing is shared by a fork.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback

import pyarrow.parquet  # noqa: F401  imported once, here, for all that fork
import structlog

from quarry.errors import QuarryError
from tests.protocol.bodies import BODIES, Job
from tests.protocol.points import Orders, Points, instrument, say


def act(told: dict) -> None:
    """Be the process that the line describes."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    given = {name: told[name] for name in ("kill_at", "kill_before", "lose") if name in told}
    orders = Orders(**given, ask={int(number): word for number, word in told.get("ask", {}).items()})
    try:
        with instrument(Points(orders)):
            asyncio.run(BODIES[told["body"]](Job(told)))
    except QuarryError as error:
        say({"gave_up": type(error).__name__})


def main() -> None:
    """Fork a process a line, wait for its end, say how it was."""
    say({"ready": True})
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                act(json.loads(line))
                code = 0
            except BaseException:  # whatever it is: the child must never return into the loop
                traceback.print_exc()
            sys.stderr.flush()
            os._exit(code)
        _, status = os.waitpid(pid, 0)
        say({"ended": os.waitstatus_to_exitcode(status)})


main()
