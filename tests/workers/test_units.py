"""The sample unit files are understood by systemd, and say what a worker needs."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from quarry.config.durations import parse_duration_ms
from tests.workers.kit import ROOT

UNITS = sorted((ROOT / "workers" / "units").glob("*.service"))


@pytest.mark.clause("FLEET-11")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_it(unit, tmp_path):
    """`systemd-analyze verify` finds nothing, with the paths of an installation put in the place of the sample's."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine")
    there = unit.read_text().replace("/opt/quarry/.venv/bin", str(Path(sys.executable).parent))
    copy = tmp_path / unit.name
    copy.write_text(there.replace("/opt/quarry", str(ROOT)))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (0, [])


@pytest.mark.clause("FLEET-11")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_it_stops_a_worker_warmly(unit):
    """TERM to the worker alone, and longer than its grace and what cancelled runs need; no password in it."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(unit.read_text())
    service = parser["Service"]
    assert (service["KillMode"], service["KillSignal"]) == ("mixed", "SIGTERM")
    grace_ms = parse_duration_ms(service["Environment"].removeprefix("QUARRY_WORKER_GRACE="))
    assert int(service["TimeoutStopSec"]) >= grace_ms / 1000 + 8 + 10
    profile = unit.stem.removeprefix("quarry-")
    assert f"-A workers.{profile} worker" in service["ExecStart"]
    assert (ROOT / "workers" / f"{profile}.py").is_file()
    assert "broker" not in service["ExecStart"].lower()


def test_there_is_one_for_each_profile():
    """http and browser."""
    assert [unit.name for unit in UNITS] == ["quarry-browser.service", "quarry-http.service"]
