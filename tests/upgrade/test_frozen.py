"""Released Lua steps are frozen: a deploy has workers of two versions on one Redis."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from tests.upgrade.frozen import hashes_of, problems, read_table

LUA = files("quarry.scheduler").joinpath("lua")


@pytest.mark.clause("LEDGER-48")
def test_no_released_step_was_edited_and_each_new_one_is_listed():
    """What today's files say of a released name is what was released under it."""
    assert problems(read_table(), hashes_of(LUA)) == []


def test_the_table_is_what_the_release_holds(old_source):
    """The hashes of the table are those of the commit itself, so nobody can edit both."""
    released = read_table()["released"]
    assert hashes_of(old_source / "quarry" / "scheduler" / "lua") == released


@pytest.mark.parametrize("edited", ["claim.lua", "lib/jobs.lua"])
def test_an_edited_step_is_told_how_to_become_a_new_one(tmp_path, edited):
    """One character in a released step, or in a fragment of it, fails with the sentence that says what to do."""
    copy = Path(shutil.copytree(str(LUA), tmp_path / "lua"))
    with (copy / edited).open("a") as file:
        file.write("-- \n")
    said = problems(read_table(), hashes_of(copy))
    assert any("claim.lua" in line and "claim_v2.lua" in line and "frozen.json" in line for line in said), (
        said
    )


def test_a_new_step_must_be_listed(tmp_path):
    """A file that nobody named is found, and one that is named twice or gone is too."""
    copy = Path(shutil.copytree(str(LUA), tmp_path / "lua"))
    (copy / "leap_v3.lua").write_text("return {'ok'}\n")
    table = read_table()
    assert any("leap_v3.lua is new" in line for line in problems(table, hashes_of(copy)))
    gone = {**table, "unreleased": [*table["unreleased"], "ghost_v2", "claim"]}
    said = problems(gone, hashes_of(LUA))
    assert any("there is no ghost_v2.lua" in line for line in said), said
    assert any(line.startswith("claim stands") for line in said), said
