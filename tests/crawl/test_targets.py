"""Which script a target names."""

from __future__ import annotations

import sys

import pytest

from quarry.crawl.targets import key_name_of, resolve


@pytest.fixture
def tree(tmp_path):
    """Scripts in three places: beside the emitter, in the working directory, elsewhere."""
    for name in (
        "root/shop/list.py",
        "root/shop/both.py",
        "root/far.py",
        "cwd/both.py",
        "cwd/here.py",
        "cwd/x.mjs",
        "root/pkg/mod.py",
        "root/pkg/sub/__init__.py",
        "else/abs.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("raise SystemExit('a lookup must not run this')\n")
    return tmp_path


def look(tree, target, **more):
    return resolve(
        target,
        **{
            "emitter_dir": str(tree / "root/shop"),
            "scripts_root": str(tree / "root"),
            "scripts": {},
            "cwd": str(tree / "cwd"),
            "module_path": [],
            **more,
        },
    )


@pytest.mark.clause("CLI-14", "CLI-15")
@pytest.mark.parametrize(
    ("target", "found", "key_name"),
    [
        ("list.py", "root/shop/list.py", "shop/list.py"),
        ("./list.py", "root/shop/list.py", "shop/list.py"),
        ("both.py", "root/shop/both.py", "shop/both.py"),
        ("../far.py", "root/far.py", "far.py"),
        ("sub/../both.py", "root/shop/both.py", "shop/both.py"),
        ("here.py", "cwd/here.py", "{tree}/cwd/here.py"),
        ("./here.py", "cwd/here.py", "{tree}/cwd/here.py"),
        ("{tree}/else/abs.py", "else/abs.py", "{tree}/else/abs.py"),
        ("{tree}/root/far.py", "root/far.py", "far.py"),
        ("x.mjs", "cwd/x.mjs", "{tree}/cwd/x.mjs"),
    ],
)
def test_paths_are_found_beside_the_emitter_then_in_the_working_directory(tree, target, found, key_name):
    """Two ways to write one script are one name in keys."""
    result = look(tree, target.format(tree=tree))
    assert (result.path, result.key_name) == (str(tree / found), key_name.format(tree=tree))
    assert (result.logical, result.problem) == (False, None)


@pytest.mark.clause("CLI-14", "CLI-15")
@pytest.mark.parametrize(
    ("target", "found"), [("pkg.mod", "root/pkg/mod.py"), ("pkg.sub", "root/pkg/sub/__init__.py")]
)
def test_module_names_are_logical_and_import_nothing(tree, target, found):
    """Parents of a module are not imported to find it."""
    before = set(sys.modules)
    assert look(tree, target) == (target, str(tree / found), True, None)
    assert set(sys.modules) == before


@pytest.mark.clause("CLI-14", "CLI-15")
def test_names_of_the_configuration_come_first(tree):
    """Even where a file has the same name."""
    scripts = {"list.py": str(tree / "else/abs.py"), "gone": str(tree / "nope.py")}
    assert look(tree, "list.py", scripts=scripts) == ("list.py", str(tree / "else/abs.py"), True, None)
    gone = look(tree, "gone", scripts=scripts)
    assert (gone.key_name, gone.path, gone.logical) == ("gone", None, True)
    assert "nope.py, which is not there" in gone.problem


@pytest.mark.clause("CLI-15")
@pytest.mark.parametrize(
    "target",
    ["nope.py", "./nope", "/nope.py", "pkg.nope", "", "a\0b", "a\nb", "root", ".", "x" * 5000, "..", "shop/"],
)
def test_what_is_not_there_stays_as_written_with_a_problem(tree, target):
    """A folder is no script."""
    result = look(tree, target)
    assert (result.key_name, result.path) == (target, None)
    assert result.problem.startswith("target ")
    assert "\n" not in result.problem


@pytest.mark.clause("CLI-15")
@pytest.mark.parametrize(
    ("path", "root", "name"),
    [
        ("/a/b/c.py", "/a", "b/c.py"),
        ("/a/b/c.py", "/a/", "b/c.py"),
        ("/ab/c.py", "/a", "/ab/c.py"),
        ("/a/c.py", "/", "a/c.py"),
        ("/a/../b/c.py", "/b", "c.py"),
    ],
)
def test_key_names_are_relative_to_the_root_only_below_it(path, root, name):
    """A folder that only starts alike is elsewhere."""
    assert key_name_of(path, root) == name
