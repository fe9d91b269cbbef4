"""Says from outside in which phase of a run (claim … settle) a stopped process was caught."""

from __future__ import annotations

import glob
import os
import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.harness import alive

if TYPE_CHECKING:
    from collections.abc import Callable

PHASES = ("frames", "terminal", "flush", "commit")
"""What the files of a run show: events arriving; the terminal is durable; Parquet is there; the record is there."""


def phases_in_flight(storage: Path) -> dict[str, str]:
    """Phase of every delivery that has begun to write and not concluded, by its folder under live/."""
    found = {}
    root = storage / "datasets" / "quarry"
    for name in glob.glob(f"{root}/live/*/*"):
        folder = Path(name)
        run, token = folder.parent.name, folder.name
        try:
            texts = [p.read_bytes() for p in folder.iterdir() if p.is_file()]
        except OSError:  # what was not stopped goes on: this delivery has concluded meanwhile
            continue
        if any(token.encode() in _read(path) for path in glob.glob(f"{root}/runs/*/*/*.json")):
            phase = "commit"
        elif glob.glob(f"{root}/partitions/*/*/*/*/*/part-{token}-*.parquet"):
            phase = "flush"
        elif any(b"run_complete" in text or b"run_error" in text for text in texts):
            phase = "terminal"
        else:
            phase = "frames"
        found[f"{run}/{token}"] = phase
    return found


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def kill_in_phase(
    pid_of: Callable[[], int | None],
    *,
    phases: Callable[[], dict[str, str]],
    wanted: str,
    seed: int,
    timeout_s: float = 20,
    hurry: Callable[[], bool] = lambda: False,
) -> str:
    """Stop a process again and again until a run is caught in flight, in the wanted phase if that comes; then kill -9.

    Args:
        pid_of: The process, once it is there.
        phases: What is in flight.
        wanted: The phase to wait for.
        seed: Of the moments at which to look.
        timeout_s: After it, any phase will do.
        hurry: Says that the crawl comes to its end, and that any phase will do from now on.

    Returns:
        The phase that was hit: the wanted one, or whatever was in flight when the time was up.
    """
    rng = random.Random(seed)
    deadline = time.monotonic() + timeout_s
    while True:
        pid = pid_of()
        if pid is None or not alive(pid):
            time.sleep(0.01)
            assert time.monotonic() < deadline + timeout_s, "the process to kill never came"
            continue
        os.kill(pid, signal.SIGSTOP)
        caught = phases()
        late = time.monotonic() > deadline or hurry()
        hit = wanted if wanted in caught.values() else next(iter(caught.values()), None) if late else None
        if hit is not None:
            os.kill(pid, signal.SIGKILL)
            return hit
        os.kill(pid, signal.SIGCONT)
        assert time.monotonic() < deadline + timeout_s, "no run was ever in flight"
        time.sleep(rng.uniform(0.001, 0.02))
