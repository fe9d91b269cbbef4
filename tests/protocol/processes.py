"""Worker processes as the tests see them: told what to do, killed at a point, asked for what they reached."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).parents[2]
KILLED = -9


@dataclass(frozen=True)
class Ended:
    """A process that has ended.

    Attributes:
        points: Names of the points that it reached, in order; the first has number 1.
        code: Exit code; below zero a signal.
        gave_up: The error with which it left the rest to others; empty if there was none.
    """

    points: list[str]
    code: int
    gave_up: str

    def at(self, number: int) -> str:
        """Name a point by what lies behind and before it."""
        before = self.points[number - 1] if number <= len(self.points) else "its end"
        behind = self.points[number - 2] if number > 1 else "its start"
        return f"point {number}: after {behind}, before {before}"


class Zygote:
    """The process that forks worker processes; one for a whole pytest process.

    Args:
        log: File for what the processes print.
        scripts: Scripts root of the workers.
    """

    def __init__(self, log: Path, scripts: Path) -> None:
        self._log = log
        env = {**os.environ, "PYTHONPATH": str(REPOSITORY), "QUARRY_SCRIPTS_ROOT": str(scripts)}
        with log.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.protocol.zygote"],
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=err,
                cwd=REPOSITORY,
            )
        assert self._hear() == {"ready": True}

    def run(self, told: dict[str, Any], *, answer: Callable[[str], None] | None = None) -> Ended:
        """Run a process to its end.

        Args:
            told: What `bodies.Job` and `points.Orders` are made of, and the ``body``.
            answer: Called with what the process asks for at a point; it goes on when this returns.
        """
        said_from = self._log.stat().st_size
        self._say(json.dumps(told))
        points: list[str] = []
        gave_up = ""
        while True:
            heard = self._hear()
            if "point" in heard:
                points.append(heard["point"])
            elif "gave_up" in heard:
                gave_up = heard["gave_up"]
            elif "ask" in heard:
                assert answer is not None
                answer(heard["ask"])
                self._say("")
            else:
                code = heard["ended"]
                if code not in {0, KILLED}:
                    with self._log.open() as log:
                        log.seek(said_from)
                        raise AssertionError(f"{told['body']} ended with {code}:\n{log.read()[-4000:]}")
                return Ended(points, code, gave_up)

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the zygote ended:\n{self._log.read_text()[-4000:]}")
        heard: dict[str, Any] = json.loads(line)
        return heard
