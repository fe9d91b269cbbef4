"""What a run prints is found in the log."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from quarry.cli.query import make_query
from quarry.cli.result_view import result_lines
from quarry.types import RunResult
from tests.e2e.harness import running

SCRIPT = str(Path(__file__).parent / "scripts" / "noisy.py")


@pytest.mark.clause("RUN-36")
@pytest.mark.parametrize("more", [[], ["--max-runs", "1"]], ids=["single", "crawl"])
def test_what_a_run_prints_is_in_the_log(tmp_path, more):
    """In a single run and in a crawl: both streams, and what a hook that failed left behind."""
    with running(tmp_path, "--script", SCRIPT, *more) as crawl:
        done = crawl.wait()
        assert done.code == 0, done.stderr
        assert "said to" not in done.stdout
        lines = [
            json.loads(line) for log in crawl.state.rglob("*.ndjson") for line in log.read_text().splitlines()
        ]
        (said,) = [line["text"] for line in lines if line.get("event") == "run.output"]
        assert "said to stdout" in said
        assert "said to stderr" in said
        assert "clean-up went wrong" in said


@pytest.mark.clause("CLI-18")
def test_the_query_of_the_summary_shows_committed_rows_only(tmp_path):
    """With a run id that reads as a date, and beside a file that a lost delivery left."""
    import duckdb

    arguments = ["--script", SCRIPT, "--max-runs", "1", "--run-id", "2026-01-01"]
    with running(tmp_path, *arguments) as crawl:
        done = crawl.wait()
    assert done.code == 0, done.stderr
    (part,) = crawl.storage.glob("datasets/quarry/partitions/**/event_type=item/*.parquet")
    part.with_name("part-0123456789abcdef01234567-00001.parquet").write_bytes(part.read_bytes())
    query = make_query(msgspec.convert(done.result, RunResult))
    rows = duckdb.sql(query).fetchall()
    assert [row[0] for row in rows] == ["2026-01-01"]


@pytest.mark.clause("CLI-18")
def test_the_query_of_a_crawl_from_seeds_that_is_not_closed_finds_what_is_committed(tmp_path):
    """Of all its roots, without an index, and without a counter where the ledger was not read."""
    import duckdb

    seeds = tmp_path / "seeds.ndjson"
    seeds.write_text('{"n": 1}\n{"n": 2}\n{"n": 3}\n')
    with running(tmp_path, "--script", SCRIPT, "--seeds", str(seeds), "--run-id", "a:b") as crawl:
        done = crawl.wait()
    assert done.code == 0, done.stderr
    shutil.rmtree(crawl.storage / "datasets/quarry/crawls")
    part = next(crawl.storage.glob("datasets/quarry/partitions/**/event_type=item/*.parquet"))
    part.with_name("part-0123456789abcdef01234567-00001.parquet").write_bytes(part.read_bytes())
    for outcome in ("unfinished", "interrupted", "detached"):
        left = msgspec.convert({**done.result, "outcome": outcome, "fanout": None}, RunResult)
        query = make_query(left)
        assert query is not None
        assert len({row[0] for row in duckdb.sql(query).fetchall()}) == 3
    assert result_lines(left, color=False)[0].startswith("crawl a:b")


@pytest.mark.clause("RUN-09", "CLI-17")
@pytest.mark.parametrize("more", [[], ["--max-runs", "1"]], ids=["single", "crawl"])
def test_the_exit_report_is_the_runtimes_of_a_single_run_and_the_result_of_a_crawl(tmp_path, more):
    """Two shapes, told apart by `fanout`; both say how it ended."""
    path = tmp_path / "report.json"
    with running(tmp_path, "--script", SCRIPT, "--report", str(path), *more) as crawl:
        done = crawl.wait()
    assert done.code == 0, done.stderr
    report = json.loads(path.read_text())
    if more:
        assert report == {**done.result, "warnings": report["warnings"]}
        assert report["fanout"]["succeeded"] == 1
    else:
        assert report["outcome"]["status"] == "success"
        assert report["runtime_exit_code"] == 0
        assert "fanout" not in report
