"""Every guard of the Lua files is held by a test that fails without it."""

from __future__ import annotations

import importlib
import shutil

import pytest

from quarry.redisio import ScriptFolder
from tests.scheduler.crawling import Crawl
from tests.scheduler.guards import GUARDS, LUA, PAGE, page


def named_test(guard):
    """The function that a guard names."""
    module, function = guard.test.split("::")
    return getattr(importlib.import_module(f"tests.scheduler.{module}"), function)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: f"{guard.file}: {guard.what}")
async def test_without_the_guard_its_test_fails(guard, client, tmp_path):
    """On a copy of the files in which that one piece is gone. (With it the same test passes in its own module.)"""
    folder = tmp_path / "lua"
    shutil.copytree(LUA, folder)
    source = (folder / guard.file).read_text()
    assert source.count(guard.text) == 1, "the guard's text must stand in the file exactly once"
    (folder / guard.file).write_text(source.replace(guard.text, guard.instead))
    try:
        await named_test(guard)(Crawl(client, ScriptFolder(folder)))
    except (Exception, pytest.fail.Exception):
        return
    pytest.fail(f"{guard.test} passes without the guard")


def test_every_lua_file_has_a_guard():
    """A new file comes with its row."""
    files = {str(path.relative_to(LUA)) for path in LUA.rglob("*.lua")}
    assert files == {guard.file for guard in GUARDS}


def test_the_page_is_current():
    """docs/ledger-guards.md is written from the list."""
    assert PAGE.read_text() == page(), "run: python -m tests.scheduler.guards"


def test_every_step_has_its_header():
    """Purpose, keys, arguments, answers, cost and invariant stand above the code."""
    for path in LUA.glob("*.lua"):
        text = path.read_text()
        assert text.startswith(f"-- {path.stem}: "), path
        for word in ("-- KEYS", "-- ARGV", "-- Returns", "-- Complexity", "-- Invariant"):
            assert word in text, (path, word)
