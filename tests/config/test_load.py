"""Settings from command line, environment and file together."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarry.config import MaxFailures, ScriptEntry
from quarry.config.load import Inputs, load, load_settings
from quarry.config.options import OPTIONS
from quarry.errors import ConfigError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a script; home and state lie in there too."""
    (tmp_path / "list.py").write_text("async def run(ctx): ...\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def given(folder, script="list.py", *, run=True, env=None, config=None, url=None, **flags):
    """Inputs of a command in the folder; flags by key with ``__`` for the dot."""
    return Inputs(
        flags={key.replace("__", "."): value for key, value in flags.items()},
        config=config,
        script=script,
        url=url,
        environment={"HOME": str(folder / "home"), **(env or {})},
        cwd=str(folder),
        run=run,
    )


@pytest.mark.clause("CLI-03")
def test_command_line_beats_environment_beats_file_beats_default(folder):
    """For each value by itself."""
    (folder / "c.yaml").write_text("depth: 1\nmax_runs: 1\nparallel: 1\ncategory: file\n")
    env = {"QUARRY_DEPTH": "2", "QUARRY_MAX_RUNS": "2"}
    s = load_settings(given(folder, config="c.yaml", env=env, depth="3")).settings
    assert (s.depth, s.max_runs, s.parallel, s.category, s.dataset) == (3, 2, 1, "file", "quarry")
    assert s.parallel_given


def test_defaults_are_those_of_the_table(folder):
    """A single run of the script, named after it, stored below the working directory."""
    s = load_settings(given(folder)).settings
    assert (s.script, s.source, s.category, s.dataset) == ("list.py", "list", "default", "quarry")
    assert s.storage_path == str(folder / "quarry-data")
    assert s.state_dir == str(folder / "home/.local/state/quarry")
    assert s.scripts_root == str(folder)
    assert (s.job, s.attempt, s.timeout_ms, s.policy) == ({}, 1, 600_000, "strict")
    assert (s.depth, s.max_runs, s.parallel, s.max_attempts, s.max_redeliveries) == (None, None, 1, 1, 3)
    assert not s.fanout


@pytest.mark.clause("CLI-13")
@pytest.mark.parametrize(
    ("flags", "fanout", "warned"),
    [
        ({}, False, []),
        ({"depth": "0"}, False, []),
        ({"parallel": "4"}, False, ["--parallel has no effect"]),
        ({"max_failures": "3"}, False, ["--max-failures has no effect"]),
        ({"depth": "1"}, True, ["no --max-runs"]),
        ({"max_runs": "5"}, True, ["no --depth"]),
        ({"depth": "2", "max_runs": "5", "parallel": "8"}, True, []),
        ({"seeds": "-"}, True, []),
        ({"seeds": "-", "depth": "2"}, True, ["no --max-runs"]),
    ],
)
def test_fan_out_starts_where_it_should_and_says_what_has_no_bound(folder, flags, fanout, warned):
    """Seeds alone have depth 0, which bounds them."""
    loaded = load_settings(given(folder, **flags))
    assert loaded.settings.fanout is fanout
    assert [w for w, start in zip(loaded.warnings, warned, strict=True) if not w.startswith(start)] == []
    if flags == {"seeds": "-"}:
        assert loaded.settings.depth == 0


@pytest.mark.clause("CLI-08")
def test_unknown_variable_warns_with_the_nearest(folder):
    """Variables that other parts of Quarry read are known."""
    env = {
        "QUARRY_STORAGEPATH": "x",
        "QUARRY_NO_SANDBOX": "1",
        "QUARRY_BROWSER_ENDPOINT": "x",
        "QUARRY_ZZZZZZ": "1",
    }
    warnings = load_settings(given(folder, env=env)).warnings
    assert warnings == [
        "environment variable QUARRY_STORAGEPATH is not known; did you mean QUARRY_STORAGE_PATH?",
        "environment variable QUARRY_ZZZZZZ is not known; Quarry doesn't read it",
    ]


def test_variable_set_to_nothing_counts_as_not_set(folder):
    """As shells and compose files have it."""
    assert (
        load_settings(given(folder, env={"QUARRY_DEPTH": "", "QUARRY_SOURCE": ""})).settings.source == "list"
    )


def test_paths_of_the_file_are_relative_to_it(folder):
    """So that a configuration can be used from anywhere; flags are relative to the working directory."""
    (folder / "conf").mkdir()
    (folder / "conf/other.py").write_text("")
    (folder / "conf/c.yaml").write_text(
        "script: other.py\nstorage: {path: data}\nstate_dir: st\nscripts_root: .\n"
        "scripts: {detail: d.py, photos: {path: sub/p.py, source: ph, profile: browser}}\n"
    )
    s = load_settings(given(folder, script=None, config="conf/c.yaml", report="r.json")).settings
    conf = str(folder / "conf")
    assert (s.script, s.storage_path, s.state_dir, s.scripts_root) == (
        f"{conf}/other.py",
        f"{conf}/data",
        f"{conf}/st",
        conf,
    )
    assert s.report == str(folder / "r.json")
    assert s.scripts["detail"] == ScriptEntry(path=f"{conf}/d.py")
    assert s.scripts["photos"] == ScriptEntry(path=f"{conf}/sub/p.py", source="ph", profile="browser")


def test_logical_name_brings_its_source_and_category(folder):
    """Unless the user says otherwise."""
    (folder / "c.yaml").write_text("scripts: {shop: {path: list.py, source: s, category: c}}\n")
    s = load_settings(given(folder, script="shop", config="c.yaml")).settings
    assert (s.source, s.category, s.scripts_root) == ("s", "c", str(folder))
    assert load_settings(given(folder, script="shop", config="c.yaml", source="x")).settings.source == "x"


@pytest.mark.parametrize(
    ("script", "source"),
    [("a/b/page.py", "page"), ("pkg.sub.module", "module"), ("x.mjs", "mjs"), ("/x/y.tar.py", "y.tar")],
)
def test_default_source_is_the_stem(folder, script, source):
    """Of a module, which has no file name, its last part."""
    assert load(given(folder, script=script)).settings.source == source


@pytest.mark.clause("CLI-21")
@pytest.mark.parametrize(
    ("flags", "env", "color"),
    [
        ({}, {}, True),
        ({"output__no_color": "true"}, {}, False),
        ({}, {"NO_COLOR": "1"}, False),
        ({}, {"NO_COLOR": ""}, True),
    ],
)
def test_colors_can_be_turned_off(folder, flags, env, color):
    """By flag, or by the variable that all tools share."""
    assert load_settings(given(folder, env=env, **flags)).settings.color is color


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("0", MaxFailures(count=0)),
        ("12", MaxFailures(count=12)),
        ("2.5%", MaxFailures(percent=2.5)),
        ("100 %", MaxFailures(percent=100.0)),
    ],
)
def test_max_failures_is_a_number_or_a_percentage(folder, text, bound):
    """Exactly one of the two is set."""
    assert load_settings(given(folder, max_failures=text)).settings.max_failures == bound


@pytest.mark.clause("CLI-04")
def test_problems_of_all_sources_come_together(folder):
    """File, variables, flags, what contradicts, what is not there."""
    (folder / "c.yaml").write_text("paralel: 3\n")
    inputs = given(
        folder,
        config="c.yaml",
        env={"QUARRY_TIMEOUT": "hunter2"},
        url="http://x/",
        job="{}",
        depth="-1",
        attempt="2",
        executor="nope",
        output__quiet="true",
        output__verbose="true",
        report="no/such/r.json",
    )
    with pytest.raises(ConfigError) as caught:
        load_settings(inputs)
    told = "\n".join(caught.value.problems)
    for part in (
        "c.yaml:1: paralel: unknown key; did you mean parallel?",
        "QUARRY_TIMEOUT: must be a duration",
        "--depth: must be a whole number from 0 to 1000000, not '-1'",
        "the URL argument and --job each",
        "--attempt 2: needs --parent-run-id",
        "--executor: there is no file",
        "--quiet and --verbose",
        "--report: there is no folder",
    ):
        assert part in told
    assert len(caught.value.problems) == 8
    assert "hunter2" not in told


@pytest.mark.clause("CLI-12")
@pytest.mark.parametrize(
    ("flags", "part"),
    [
        ({"run_id": "a/b"}, "--run-id: must be 1 to 200"),
        ({"run_id": ".."}, "--run-id"),
        ({"run_id": "-x"}, "--run-id"),
        ({"run_id": "x" * 201}, "--run-id"),
        ({"run_id": "ü"}, "--run-id"),
        ({"attempt": "0"}, "--attempt: must be a whole number from 1"),
        ({"attempt": "2"}, "needs --parent-run-id"),
        ({"parent_run_id": "p"}, "needs --attempt 2"),
        ({"attempt": "1", "parent_run_id": "p"}, "--attempt 1: has no attempt before it"),
        ({"attempt": "2", "parent_run_id": "p", "run_id": "p"}, "must differ"),
        ({"attempt": "2", "parent_run_id": "p", "seeds": "-"}, "seeds are many"),
        ({"attempt": "2", "parent_run_id": "../p"}, "--parent-run-id: must be"),
    ],
)
def test_identities_that_make_no_sense_are_refused_once(folder, flags, part):
    """One problem each: what is wrong with a value is not told again as its absence."""
    with pytest.raises(ConfigError) as caught:
        load_settings(given(folder, **flags))
    assert len(caught.value.problems) == 1
    assert part in caught.value.message


def test_every_option_is_documented_with_flag_variable_key_and_default():
    """The page follows the table."""
    page = (Path(__file__).parents[2] / "docs/configuration.md").read_text()
    for option in OPTIONS:
        line = next(
            row for row in page.splitlines() if row.startswith("|") and option.help in row.replace("\\|", "|")
        )
        for part in (option.flag, option.env, option.in_file and f"`{option.key}`", option.default):
            assert not part or part in line, (option.key, part)
