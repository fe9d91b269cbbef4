"""``quarry simulate`` as a user types it."""

from __future__ import annotations

import json

import pytest

from tests.cli.commands import quarry, tree_of


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "work"
    place.mkdir()
    return place


@pytest.mark.clause("SIMULATE-01")
@pytest.mark.clause("SIMULATE-05")
def test_two_numbers_are_enough(folder):
    """The rest has defaults; nothing is left behind."""
    before = tree_of(folder)
    done = quarry("simulate", "--jobs", "1_000_000", "--rate", "2e2", cwd=folder)
    assert done.code == 0, done.err
    said = done.document
    assert said["workload"]["jobs"] == 1_000_000
    assert said["workload"]["rate"] == 200
    assert said["workload"]["duration_ms"] == 500
    assert said["time"]["crawl_s"] == 5000
    assert said["workers"]["parallel"] == 100
    assert said["redis"]["one_suffices"] is True
    assert {"money", "limits", "storage", "measured", "first_limit"} <= said.keys()
    assert tree_of(folder) == before


@pytest.mark.clause("SIMULATE-05")
@pytest.mark.parametrize("form", ["table", "yaml"])
def test_for_people_and_as_yaml(folder, form):
    """The same figures."""
    done = quarry(
        "simulate", "--jobs", "1e9", "--rate", "5000", "--enqueues", "20", "--format", form, cwd=folder
    )
    assert done.code == 0, done.err
    assert ("one does not suffice" if form == "table" else "one_suffices: false") in done.out
    assert "redis_core" in done.out


@pytest.mark.clause("SIMULATE-02")
def test_everything_that_is_wrong_is_said_at_once(folder):
    """Numbers, files, prices and the format, each with its place."""
    (folder / "prices.yaml").write_text("core_hour: dear\nspace: 1\n")
    (folder / "costs.json").write_text('{"run": {"worker_cpu_us": -5}}')
    flags = "--jobs 0.5 --rate -1 --events nan --enqueues x --page-bytes 1e99 --duration soon --slots 0 --redis-gb 0"
    done = quarry(
        *("simulate", *flags.split(), "--pending", "-1", "--row-bytes", "inf", "--format", "pdf"),
        *("--prices", "prices.yaml", "--costs", "costs.json"),
        cwd=folder,
    )
    assert done.code == 64
    assert done.out == ""
    for place in (
        *("--jobs:", "--rate:", "--events:", "--enqueues:", "--page-bytes:", "--duration:", "--slots:"),
        *("--redis-gb:", "--pending:", "--row-bytes:", "--format:", "core_hour", "space", "worker_cpu_us"),
    ):
        assert place in done.err, place
    assert "Traceback" not in done.err


@pytest.mark.clause("SIMULATE-01")
def test_what_is_needed_is_asked_for(folder):
    """Jobs and rate."""
    done = quarry("simulate", cwd=folder)
    assert done.code == 64
    assert "--jobs: is needed" in done.err
    assert "--rate: is needed" in done.err


@pytest.mark.clause("SIMULATE-04")
@pytest.mark.parametrize(
    "text",
    [
        "core_hour: 1\n",
        '{"core_hour": 1}',
        "simulate:\n  prices:\n    core_hour: 1\n",
        "prices: {core_hour: 1}\n",
    ],
)
def test_a_price_table_alone_or_in_its_section(folder, text):
    """As YAML or JSON."""
    (folder / "prices").write_text(text)
    done = quarry("simulate", "--jobs", "36000", "--rate", "10", "--prices", "prices", cwd=folder)
    assert done.code == 0, done.err
    assert done.document["money"]["workers"] == pytest.approx(done.document["workers"]["cores"] * 1.0)


@pytest.mark.clause("SIMULATE-04")
@pytest.mark.parametrize("text", ["- 1\n", "prices: 7\n", "core_hour: 1\ncore_hour: 2\n", "{\n"])
def test_what_is_no_price_table_is_refused(folder, text):
    """With the flag and the file."""
    (folder / "prices").write_text(text)
    done = quarry("simulate", "--jobs", "1", "--rate", "1", "--prices", "prices", cwd=folder)
    assert done.code == 64
    assert "--prices prices" in done.err


@pytest.mark.clause("SIMULATE-03")
def test_other_costs(folder):
    """Of a file."""
    (folder / "costs.json").write_text(json.dumps({"costs": {"run": {"redis_cpu_us": 800_000}}}))
    done = quarry("simulate", "--jobs", "10", "--rate", "2", "--costs", "costs.json", cwd=folder)
    assert done.code == 0, done.err
    assert done.document["redis"]["one_suffices"] is False
    assert done.document["redis"]["core"] > 1.6
