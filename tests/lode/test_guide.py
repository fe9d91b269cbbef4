"""The guide's snippets, run as they stand, on a dataset with leftovers in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from quarry.lode import Dataset
from quarry.types import Outcome, OutcomeStatus
from tests.lode.samples import CRAWL, DAY, commit, event, writer

GUIDE = Path(__file__).parents[2] / "docs" / "data-layout.md"


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


def item(seq: int, name: str, run_id: str):
    return event(seq, "item", {"item_type": "product", "data": {"name": name}}, run_id=run_id)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A crawl of two runs, one of them failed, and a third that is committed in no record."""
    dataset = Dataset.create(tmp_path / "quarry-data")
    commit(dataset, 1, item(1, "one", "run-1"), event(2, "run_complete", run_id="run-1"))
    failed = Outcome(status=OutcomeStatus.SCRIPT_ERROR, message="boom", error_type="ValueError")
    commit(dataset, 2, item(1, "two", "run-2"), item(2, "three", "run-2"), outcome=failed)
    dataset.put_index(DAY, CRAWL)
    dataset.put_summary(DAY, CRAWL, {})
    monkeypatch.chdir(tmp_path)
    return dataset


def leave_a_copy(dataset) -> None:
    """What a delivery leaves that was lost between its seal and its commit, and a parquet file of the user's."""
    lost = writer(dataset, "run-1", "lost")
    lost.append([item(1, "one", "run-1")])
    lost.put_file("own.parquet", "x/y", b"not really")
    lost.seal({})


@pytest.mark.parametrize("number", range(len(snippets("python"))))
def test_python_snippets_run(shop, number, capsys):
    """Each by itself, pasted."""
    exec(compile(snippets("python")[number], f"snippet {number}", "exec"), {})
    said = capsys.readouterr().out
    print(said)
    expected = ["ValueError boom", "3\n", ""]
    assert expected[number] in said


@pytest.mark.clause("LODE-03", "LODE-05")
def test_sql_snippets_give_what_the_guide_says(shop):
    """Rows of the partitions, exact rows by the index, failures, records."""
    duckdb = pytest.importorskip("duckdb")
    partitions, exact, failures, records = [duckdb.sql(text).fetchall() for text in snippets("sql")]
    assert partitions == [
        ("shop", "run-1", "product", "one"),
        ("shop", "run-2", "product", "two"),
        ("shop", "run-2", "product", "three"),
    ]
    assert sorted(exact) == [("product", "one"), ("product", "three"), ("product", "two")]
    assert failures == [("script_error", "ValueError", 1, "boom")]
    assert sorted(row[:2] for row in records) == [("run-1", "success"), ("run-2", "script_error")]


@pytest.mark.clause("LODE-30")
def test_copy_of_a_lost_delivery_is_seen_by_engines_and_not_by_the_index(shop):
    """As the guide says: the partitions show it twice, the query with the index and quarry.lode once."""
    duckdb = pytest.importorskip("duckdb")
    leave_a_copy(shop)
    partitions, exact, _, _ = [duckdb.sql(text).fetchall() for text in snippets("sql")]
    assert [row[3] for row in partitions].count("one") == 2
    assert [row[1] for row in exact].count("one") == 1


@pytest.mark.clause("LODE-15")
def test_engines_never_see_a_temporary_file(shop):
    """A torn file under a temporary name in the folder disturbs no query."""
    duckdb = pytest.importorskip("duckdb")
    for path in (shop.root / "partitions").rglob("*.parquet"):
        path.with_name(f".{path.stem}.tmp").write_bytes(b"PAR1 torn")
    assert len(duckdb.sql(snippets("sql")[0]).fetchall()) == 3
    exec(compile(snippets("python")[1], "snippet", "exec"), {})
