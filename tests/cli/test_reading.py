"""The commands that read: what they show, and that they change nothing."""

from __future__ import annotations

import json

import pytest

from tests.cli.commands import quarry, tree_of

FAIL = (
    "async def run(ctx):\n    await ctx.emit.item('kept', {})\n    raise ValueError('wrong \\x1b[31mpage')\n"
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A dataset of two single runs: a success and a failure after two attempts."""
    folder = tmp_path_factory.mktemp("reading") / "work"
    folder.mkdir()
    (folder / "ok.py").write_text("async def run(ctx):\n    await ctx.emit.item('t', {'n': 1})\n")
    (folder / "bad.py").write_text(FAIL)
    assert quarry("run", "ok.py", "--run-id", "good", "--source", "s1", cwd=folder).code == 0
    assert quarry("run", "bad.py", "--run-id", "bad", "--max-attempts", "2", cwd=folder).code == 1
    return folder


READING = (
    ("list", "runs"),
    ("list", "runs", "--format", "table"),
    ("inspect", "crawl", "bad"),
    ("inspect", "crawl", "bad", "--format", "table", "--failed", "--depth-limit", "0"),
    ("inspect", "run", "good"),
    ("inspect", "run", "good", "--format", "yaml"),
    ("inspect", "run", "nope"),
    ("inspect", "crawl", "nope"),
    ("list", "runs", "--dataset", "nope"),
    ("list", "runs", "--storage-path", "nope"),
    ("debug", "resolve", "target", "ok.py"),
    ("debug", "resolve", "target", "nope.py"),
    ("version",),
)


@pytest.mark.clause("CLI-26", "CLI-24")
@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_reading_changes_nothing(dataset, arguments):
    """Neither content nor times nor modes, in the dataset, beside it, or in the state folder."""
    before = tree_of(dataset.parent)
    done = quarry(*arguments, cwd=dataset)
    assert done.code in {0, 1}
    assert "Traceback" not in done.err
    assert tree_of(dataset.parent) == before


@pytest.mark.clause("CLI-27")
@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("inspect", "run", "nope"), "run 'nope' has no commit record in"),
        (("inspect", "crawl", "nope"), "no run of a crawl 'nope' has ended in"),
        (("inspect", "crawl", "../../x"), "no run of a crawl"),
        (("inspect", "crawl", "\x1b[2J"), "\\x1b[2J"),
        (("list", "runs", "--dataset", "nope"), "there is no dataset 'nope' in"),
        (("list", "runs", "--storage-path", "ok.py"), "there is no dataset 'quarry' in"),
    ],
)
def test_what_is_not_there_ends_with_one_and_says_where_was_looked(dataset, arguments, part):
    """Nothing on standard output."""
    done = quarry(*arguments, cwd=dataset)
    assert (done.code, done.out) == (1, "")
    assert part in done.err
    assert "\x1b" not in done.err


@pytest.mark.clause("CLI-16", "CLI-29")
def test_list_runs_gives_one_array_the_latest_first(dataset):
    """With filters and a limit that says what it left out."""
    runs = quarry("list", "runs", cwd=dataset).document
    assert [run["crawl"] for run in runs] == ["bad", "good"]
    assert [run["outcome"] for run in runs] == ["script_error", "success"]
    day = runs[0]["day"]
    for flags, crawls in (
        (["--state", "failed"], ["bad"]),
        (["--source", "s1"], ["good"]),
        (["--crawl", "good"], ["good"]),
        (["--day", day], ["bad", "good"]),
        (["--day", "2001-01-01"], []),
    ):
        assert [run["crawl"] for run in quarry("list", "runs", *flags, cwd=dataset).document] == crawls
    limited = quarry("list", "runs", "--limit", "1", cwd=dataset)
    assert [run["crawl"] for run in limited.document] == ["bad"]
    assert "and 1 older runs" in limited.err
    assert len(quarry("list", "runs", "--limit", "0", cwd=dataset).document) == 2


@pytest.mark.clause("CLI-20")
def test_inspect_run_shows_the_record_and_the_other_attempts(dataset):
    """A message from a script can't move the cursor."""
    run = quarry("list", "runs", "--crawl", "bad", cwd=dataset).document[0]["run_id"]
    document = quarry("inspect", "run", run, cwd=dataset).document
    assert (document["attempt"], document["outcome"]["status"]) == (2, "script_error")
    assert [attempt["attempt"] for attempt in document["other_attempts"]] == [1]
    text = quarry("inspect", "run", run, "--format", "table", cwd=dataset).out
    assert "wrong \\x1b[31mpage" in text
    assert "\x1b" not in text
    first = quarry("inspect", "run", "bad", cwd=dataset).document
    assert first["attempt"] == 1


def test_inspect_crawl_of_a_single_run(dataset):
    """It has no summary; its record and its failed attempt are there."""
    document = quarry("inspect", "crawl", "bad", cwd=dataset).document
    assert (document["records"], document["failed"], document["failed_attempts"]) == (1, 1, 1)
    assert document["fanout"] is None
    assert len(document["runs"]) == 1
    assert document["failures"][0]["count"] == 1


@pytest.mark.clause("CLI-14", "CLI-15", "CLI-27")
def test_debug_resolve_target_says_what_a_crawl_would_do(dataset):
    """Beside the emitting script, in the working directory, by logical name."""
    (dataset.parent / "else").mkdir(exist_ok=True)
    (dataset.parent / "else/list.py").write_text("")
    (dataset.parent / "else/leaf.py").write_text("")
    found = quarry("debug", "resolve", "target", "leaf.py", "--from", "../else/list.py", cwd=dataset)
    assert found.code == 0
    assert found.document["key_name"] == "leaf.py"
    assert found.document["path"] == str(dataset.parent / "else/leaf.py")
    missing = quarry("debug", "resolve", "target", "leaf.py", cwd=dataset)
    assert (missing.code, missing.document["path"]) == (1, None)
    assert "looked for" in missing.document["problem"]
    config = dataset.parent / "else/c.yaml"
    config.write_text("scripts: {leaf: leaf.py}\n")
    named = quarry("debug", "resolve", "target", "leaf", "--config", config, cwd=dataset).document
    assert (named["key_name"], named["logical"]) == ("leaf", True)
    config.unlink()
    (dataset.parent / "else/leaf.py").unlink()
    (dataset.parent / "else/list.py").unlink()


@pytest.mark.clause("CLI-28")
def test_inspect_crawl_is_bounded_and_says_so(dataset):
    """The limit is a flag."""
    assert json.loads(quarry("inspect", "crawl", "bad", "--limit", "0", cwd=dataset).out)["omitted"] == 0
