"""The wheel that users install: complete, and usable without the repository."""

from __future__ import annotations

import email
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import quarry

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--disable-pip-version-check",
        "-w",
        folder,
        ROOT,
    ]
    subprocess.run(command, check=True, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_package(wheel):
    """Python, Lua, the typing marker and the licence; nothing from outside the package."""
    package = ROOT / "quarry"
    sources = {
        str(file.relative_to(ROOT))
        for file in package.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert any(name.endswith(".lua") for name in sources)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert sources <= names
    metadata = f"quarry_crawler-{quarry.__version__}.dist-info/"
    assert {name for name in names - sources if not name.startswith(metadata)} == set()
    assert f"{metadata}licenses/LICENSE" in names


def test_the_metadata_says_who_it_is(wheel):
    """Name, version, licence, Pythons and the command."""
    with zipfile.ZipFile(wheel) as archive:
        (place,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(place))
        commands = archive.read(place.replace("METADATA", "entry_points.txt")).decode()
    assert metadata["Name"] == "quarry-crawler"
    assert metadata["Version"] == quarry.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert set(metadata["Requires-Python"].split(",")) == {">=3.11", "<3.14"}
    assert "quarry = quarry.cli:main" in commands


def test_the_unpacked_wheel_runs(wheel, tmp_path):
    """`quarry version` from the wheel's files, away from the repository, says both versions."""
    unpacked = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    program = "import sys, quarry; print(quarry.__file__, file=sys.stderr); from quarry.cli import main; sys.exit(main())"
    environment = {**os.environ, "PYTHONPATH": str(unpacked), "XDG_STATE_HOME": str(tmp_path / "state")}
    done = subprocess.run(
        [sys.executable, "-c", program, "version"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(unpacked) in done.stderr
    assert quarry.__version__ in done.stdout
    assert quarry.CONTRACT_VERSION in done.stdout
