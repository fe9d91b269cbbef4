"""Lua scripts from files."""

from __future__ import annotations

import pytest

from quarry.errors import SchedulerError
from quarry.redisio import ScriptFolder


@pytest.fixture
def folder(tmp_path):
    """A folder with one script of two fragments, one of which includes the other."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "one.lua").write_text("local one = 1\n")
    (tmp_path / "lib" / "two.lua").write_text("-- include: one.lua\nlocal two = one + 1\n")
    (tmp_path / "sum.lua").write_text(
        "-- include: lib/one.lua\n-- include: lib/two.lua\nreturn one + two + ARGV[1]\n"
    )
    return ScriptFolder(tmp_path)


def test_fragments_are_put_in_once_and_in_order(folder):
    """An include that was there before is left out."""
    assert folder.get("sum").source == "local one = 1\n\nlocal two = one + 1\nreturn one + two + ARGV[1]\n"
    assert folder.names() == ["sum"]
    assert folder.get("sum") is folder.get("sum")


def test_a_missing_file_is_named(folder, tmp_path):
    """The installation is damaged: which file."""
    (tmp_path / "bad.lua").write_text("-- include: lib/none.lua\n")
    for name, missing in (("nope", "nope.lua"), ("bad", "lib/none.lua")):
        with pytest.raises(SchedulerError, match=missing):
            folder.get(name)


async def test_a_script_is_called_by_its_hash_and_loaded_where_it_is_not_known(folder, client):
    """First call, later calls, and after the server forgot all scripts."""
    script = folder.get("sum")
    assert await script.run(client, [], [4]) == 7
    assert await client.script_exists(script.sha) == [True]
    assert await script.run(client, [], [5]) == 8
    await client.script_flush()
    assert await script.run(client, [], [6]) == 9
