"""`quarry retry` and `quarry inspect run` of jobs that had a proxy pool: one machine, a crawl of each kind."""

from __future__ import annotations

import json

import pytest

from quarry import lode
from tests.cli.commands import quarry

FAILS = """
async def run(ctx):
    await ctx.emit.item("thing", {"attempt": ctx.run.attempt})
    raise ValueError("no")
"""
PASSWORD = "planted-Pa55word"
SHOP = f"http://ada:{PASSWORD}@127.0.0.1:9"
POOLS = {"shop": {"endpoints": [SHOP]}, "wide": {"endpoints": ["http://127.0.0.1:10"]}}


@pytest.fixture(scope="module")
def crawled(tmp_path_factory):
    """A folder in which the crawl ``first`` through the pool ``shop`` has failed."""
    folder = tmp_path_factory.mktemp("retry") / "work"
    folder.mkdir()
    (folder / "bad.py").write_text(FAILS)
    config(folder, POOLS)
    done = call(
        folder, "run", "bad", "--depth", "1", "--max-runs", "5", "--run-id", "first", "--proxy-pool=shop"
    )
    assert (done.code, done.document["fanout"]["failed"]) == (1, 1), done.err
    return folder


def config(folder, pools, more=None, **entry):
    """Write the configuration: these pools, and a script ``bad``."""
    made = {"proxies": pools, "scripts": {"bad": {"path": "bad.py", **entry}}, **(more or {})}
    (folder / "quarry.yaml").write_text(json.dumps(made))


def call(folder, *arguments):
    done = quarry(*arguments, "--config", "quarry.yaml", cwd=folder)
    assert PASSWORD not in done.out + done.err
    return done


def record(folder, crawl):
    """The one record of a crawl."""
    (found,) = lode.open(folder / "quarry-data").runs(crawl=crawl)
    return found


@pytest.mark.clause("PROXY-24", "RUN-42", "PROXY-21")
def test_a_retried_job_keeps_its_pool(crawled):
    """Without a flag, and against the file: the record says it, the new crawl's plan lists it."""
    for crawl, chosen in (("kept", {}), ("kept-too", {"proxy": "wide"})):
        config(crawled, POOLS, more=chosen)
        done = call(crawled, "retry", "first", "--run-id", crawl)
        assert done.document["fanout"]["failed"] == 1, done.err
        again = record(crawled, crawl)
        assert (again.attempt, again.outcome.status) == (2, "script_error")
        assert again.proxy == {
            "protocol": "http",
            "host": "127.0.0.1",
            "port": 9,
            "username": "ada",
            "pool": "shop",
            "reason": "free",
        }
    shown = call(crawled, "inspect", "run", again.run_id, "--format", "table").out
    assert "http://ada@127.0.0.1:9, pool shop" in shown


@pytest.mark.clause("PROXY-24")
@pytest.mark.parametrize(("flag", "pool"), [("wide", "wide"), ("none", None)])
def test_a_pool_on_the_command_line_beats_that_of_the_last_run(crawled, flag, pool):
    """Who names one means it; the file's word on the script still stands (below)."""
    config(crawled, POOLS)
    done = call(crawled, "retry", "first", "--run-id", f"asked-{flag}", "--proxy-pool", flag)
    assert done.document["fanout"]["failed"] == 1, done.err
    assert (record(crawled, f"asked-{flag}").proxy or {}).get("pool") == pool


@pytest.mark.clause("PROXY-03", "CLI-25")
def test_a_script_that_is_named_by_its_path_has_its_entrys_pool(crawled):
    """A run's record says it, and a dry run before; against the command's pool."""
    config(crawled, POOLS, proxy="wide")
    for name in ("bad", "bad.py", str(crawled / "bad.py")):
        done = call(crawled, "run", name, "--dry-run", "--proxy-pool", "shop")
        assert done.document["proxy"] == {"pool": "wide", "strategy": "round_robin", "endpoints": 1}
        shown = call(crawled, "run", name, "--dry-run", "--format", "table").out
        assert "proxy pool: wide, round_robin, endpoints 1" in shown
    call(crawled, "run", "bad.py", "--run-id", "by-path", "--proxy-pool", "shop")
    assert record(crawled, "by-path").proxy["pool"] == "wide"
    config(crawled, POOLS)
    assert call(crawled, "run", "bad", "--dry-run").document["proxy"] is None


@pytest.mark.clause("PROXY-24")
def test_a_pool_that_is_gone_is_refused_by_its_name_or_replaced(crawled):
    config(crawled, {"wide": POOLS["wide"]})
    refused = call(crawled, "retry", "first")
    assert (refused.code, refused.out) == (64, "")
    assert "had proxy pool 'shop'" in refused.err
    done = call(crawled, "retry", "first", "--run-id", "replaced", "--proxy-pool", "wide")
    assert done.document["fanout"]["failed"] == 1, done.err
    assert record(crawled, "replaced").proxy["pool"] == "wide"


@pytest.mark.clause("PROXY-24")
def test_the_configurations_word_on_the_script_stands(crawled):
    """``proxy: none`` there is none, whatever the job had."""
    config(crawled, POOLS, proxy="none")
    done = call(crawled, "retry", "first", "--run-id", "none")
    assert done.document["fanout"]["failed"] == 1, done.err
    assert record(crawled, "none").proxy is None
