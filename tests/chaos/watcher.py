"""The command that seeds the crawl and watches it: the real `quarry run --broker`, killed and attached again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quarry.engine.lifeline import make_parent_death_hook
from tests.chaos.answer import SCRIPT, params_of, seeds_of
from tests.chaos.fleet import ROOT
from tests.chaos.scripts.graph import SHARES

if TYPE_CHECKING:
    from tests.chaos.run import Run

SCRIPTS = Path(__file__).parent / "scripts"


class Watcher:
    """The watching command of one run.

    Args:
        run: The run.
        settings: Lease and the other times of its ledger, as environment.
        parallel: Leases at once.
        redeliveries: Deliveries of one attempt after the first.
    """

    def __init__(self, run: Run, *, settings: dict[str, str], parallel: int, redeliveries: int) -> None:
        self._run = run
        self._env = {
            k: v for k, v in os.environ.items() if not k.startswith("QUARRY_") or k.endswith("_MARK")
        }
        self._env |= {"QUARRY_BROKER": run.fleet.server.url, "XDG_STATE_HOME": str(run.folder / "state")}
        self._env |= {"PYTHONPATH": str(ROOT), **settings}
        self._bounds = ["--depth", str(len(SHARES) - 1), "--parallel", str(parallel)]
        self._bounds += [
            "--max-attempts",
            str(run.scenario.max_attempts),
            "--max-redeliveries",
            str(redeliveries),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def code(self) -> int | None:
        """The exit code of the command that was started last, once it has ended."""
        return self._process.poll() if self._process is not None else None

    def seed(self) -> None:
        """Begin the crawl."""
        seeds = self._run.folder / "seeds.jsonl"
        graph = self._run.graph
        seeds.write_text("".join(json.dumps(params_of(graph, n)) + "\n" for n in seeds_of(graph)))
        self._start("--script", SCRIPT, "--seeds", str(seeds), "--run-id", self._run.crawl, *self._bounds)

    def attach(self) -> None:
        """Watch the crawl on."""
        self._start("--attach", self._run.crawl)

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def result(self) -> dict[str, Any] | None:
        """Give the result that the last command printed; None where it printed none."""
        try:
            found: dict[str, Any] = json.loads(self._path("out").read_text())
        except (OSError, ValueError):
            return None
        return found

    def said(self) -> str:
        """Give the last line that the last command said to people."""
        lines = self._path("err").read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "")[-300:]

    def wait(self, timeout_s: float) -> int | None:
        """Wait for its end; None where it goes on."""
        assert self._process is not None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def _start(self, *arguments: str) -> None:
        self._started += 1
        storage = [] if arguments[0] == "--attach" else ["--storage-path", str(self._run.storage)]
        storage += [] if arguments[0] == "--attach" else ["--source", "chaos"]
        with self._path("out").open("wb") as out, self._path("err").open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "quarry.cli", "run", *arguments, *storage, "--format", "json"],
                cwd=SCRIPTS,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                process_group=0,
                preexec_fn=make_parent_death_hook(),  # noqa: PLW1509 -- it allocates and locks nothing
            )

    def _path(self, what: str) -> Path:
        return self._run.folder / f"watcher-{self._started}.{what}"
