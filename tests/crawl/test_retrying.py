"""Which proxy pool a retried job gets."""

from __future__ import annotations

import msgspec
import pytest

from quarry.crawl.plan import CrawlPlan, JobPayload, ScriptEntry
from quarry.crawl.records import make_lost_record
from quarry.crawl.retrying import choose_pool, make_retry
from quarry.scheduler import Owed

PLAN = CrawlPlan(
    crawl="c",
    day="2026-01-02",
    started_at=0,
    storage_path="/s",
    dataset="d",
    policy="strict",
    timeout_ms=1,
    scripts_root="/r",
    cwd="/r",
)
POOLS = ("shop", "wide")


def record_of(pool: str | None):
    """The record of a job that was lost before it got an endpoint: it names its pool all the same."""
    job = JobPayload(target="x.py", params={}, source="s", category="c", path="/r/x.py", proxy=pool)
    owed = Owed(key="k" * 64, token="t", depth=0, attempt=1, deliveries=1, reason="lost", payload="{}")
    return make_lost_record(PLAN, owed, job, "t")


@pytest.mark.clause("PROXY-24", "RUN-42")
@pytest.mark.parametrize(
    ("had", "entry", "default", "chosen"),
    [
        (None, None, None, None),
        (None, None, "wide", "wide"),
        ("shop", None, None, "shop"),
        ("shop", None, "wide", "shop"),
        ("gone", None, "wide", "wide"),
        ("shop", "wide", None, "wide"),
        ("shop", "none", "wide", None),
        ("gone", "none", None, None),
        ("gone", "wide", None, "wide"),
    ],
)
def test_the_configuration_beats_the_record_and_that_the_command(had, entry, default, chosen):
    """Of a job whose pool is still there no flag is needed."""
    told = ScriptEntry(path="/r/x.py", proxy=entry) if entry else None
    assert choose_pool(record_of(had), told, pools=POOLS, default=default) == (chosen, None)


@pytest.mark.clause("PROXY-24")
@pytest.mark.parametrize("had", [None, "shop", "gone"])
@pytest.mark.parametrize(
    ("entry", "asked", "chosen"),
    [(None, "wide", "wide"), (None, None, None), ("shop", "wide", "shop"), ("none", "wide", None)],
)
def test_what_the_command_line_names_beats_the_record(had, entry, asked, chosen):
    """``none`` too; the configuration's word on the script stands."""
    told = ScriptEntry(path="/r/x.py", proxy=entry) if entry else None
    found = choose_pool(record_of(had), told, pools=POOLS, default=asked, asked=True)
    assert found == (chosen, None)


@pytest.mark.clause("PROXY-24")
@pytest.mark.parametrize("entry", [None, ScriptEntry(path="/r/x.py")])
def test_a_job_that_had_a_proxy_is_never_retried_without_one(entry):
    """The problem names the pool, and what to do."""
    pool, problem = choose_pool(record_of("gone"), entry, pools=POOLS, default=None)
    assert pool is None
    assert "'gone'" in problem
    assert "--proxy-pool" in problem


@pytest.mark.clause("PROXY-21")
def test_the_record_of_a_run_without_an_endpoint_names_its_pool():
    assert record_of("shop").proxy == {"pool": "shop"}
    assert record_of(None).proxy is None


@pytest.mark.clause("PROXY-24")
def test_a_pool_in_a_record_may_be_anything_a_foreign_executor_says(tmp_path):
    """A record without a pool, or with one that is no text, is one of a job that had none here."""

    for proxy in ({"host": "h"}, {"pool": 7}):
        record = msgspec.structs.replace(record_of(None), proxy=proxy)
        assert choose_pool(record, None, pools=POOLS, default=None) == (None, None)
    payload, _ = make_retry(record_of("shop"), str(tmp_path), {})
    assert payload.proxy is None
