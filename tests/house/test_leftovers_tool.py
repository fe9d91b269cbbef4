"""`tools/leftovers.py`, which `.ci/run` and the demo trust."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "leftovers.py"


def run(grace_s: float, shell: str) -> tuple[int, str]:
    command = [sys.executable, TOOL, "--grace", str(grace_s), "bash", "-c", shell]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a reaper of orphans")
def test_a_process_that_forked_away_is_found_and_ended():
    """Neither a session of its own nor an empty environment hides it."""
    code, said = run(0.2, "(setsid env -i sleep 100 >/dev/null 2>&1 &)")
    assert code == 1
    (pid,) = re.findall(r"process (\d+): sleep 100", said)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_a_process_that_ends_in_time_is_none():
    """What is just ending may take the grace; the command's own exit code stands."""
    code, said = run(20, "(setsid sleep 0.3 >/dev/null 2>&1 &) ; exit 3")
    assert code == 3
    assert "process " not in said.replace("no process", "")
