"""From enqueue event to job."""

from __future__ import annotations

import json

import pytest

from quarry.crawl.children import Parent, describe, make_child
from quarry.crawl.plan import ScriptEntry
from tests.crawl.test_summary import plan


@pytest.fixture
def scripts(tmp_path):
    for name in ("list.py", "detail.py", "other/far.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("async def run(ctx): ...\n")
    return tmp_path


def child(folder, payload, **more):
    parent = Parent(
        run_id="p",
        key="0" * 32,
        root_run_id="r",
        script=str(folder / "list.py"),
        source="shop",
        category="x",
        depth=1,
    )
    return make_child(plan(scripts_root=str(folder), cwd="/", **more), parent, payload)


@pytest.mark.clause("RUN-22")
def test_child_inherits_source_and_category_and_knows_its_lineage(scripts):
    """Unless the event says otherwise."""
    job = json.loads(child(scripts, {"target": "detail.py", "params": {"n": 1}}).payload)
    assert (job["source"], job["category"], job["target"]) == ("shop", "x", "detail.py")
    assert (job["parent_run_id"], job["parent_job"], job["root_run_id"]) == ("p", "0" * 32, "r")
    other = json.loads(child(scripts, {"target": "detail.py", "params": {}, "source": "z"}).payload)
    assert other["source"] == "z"


@pytest.mark.clause("RUN-22")
def test_one_script_is_one_key_however_it_is_named(scripts):
    """./x.py, x.py and the absolute path are the same target; a logical name has its own source."""
    named = {"far": ScriptEntry(path=str(scripts / "other/far.py"), source="far-source")}
    keys = {
        child(scripts, {"target": t, "params": {}}).key
        for t in ("detail.py", "./detail.py", str(scripts / "detail.py"))
    }
    assert len(keys) == 1
    job = json.loads(child(scripts, {"target": "far", "params": {}}, scripts=named).payload)
    assert (job["target"], job["source"], job["path"]) == ("far", "far-source", str(scripts / "other/far.py"))


@pytest.mark.clause("PROXY-03")
def test_an_entrys_pool_holds_however_its_script_is_named(scripts):
    """By name, by path: the key is another one, the pool is the same. Others inherit."""
    named = {"far": ScriptEntry(path=str(scripts / "other/far.py"), proxy="wide")}
    found = {}
    for target in ("far", "other/far.py", str(scripts / "other/far.py"), "other.far", "detail.py"):
        job = json.loads(child(scripts, {"target": target, "params": {}}, scripts=named).payload)
        found[target] = (job["target"], job.get("proxy"))
    assert found == {
        "far": ("far", "wide"),
        "other/far.py": ("other/far.py", "wide"),
        str(scripts / "other/far.py"): ("other/far.py", "wide"),
        "other.far": ("other.far", "wide"),
        "detail.py": ("detail.py", None),
    }


def test_an_unknown_target_is_admitted_as_written_with_its_problem(scripts):
    """It ends as executor_crash, where everybody can see it."""
    job = json.loads(child(scripts, {"target": "nope.py", "params": {}}).payload)
    assert job["target"] == "nope.py"
    assert "path" not in job
    assert "nope.py" in job["problem"]


@pytest.mark.clause("RUN-23")
@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ({"url": "https://u:secret@a.example/x?token=t#f"}, "('https://a.example/x?…', depth=2)"),
        ({"password": "s", "n": 1}, "('{n, password}', depth=2)"),
        ({"url": "http://[bad"}, "('(malformed URL)', depth=2)"),
    ],
)
def test_what_people_see_of_a_job_holds_no_secret(params, shown):
    """User info, query and values stay out of Flower."""
    assert describe(params, 2) == shown


@pytest.mark.clause("RUN-37")
@pytest.mark.parametrize("bad", [{"source": "x" * 300}, {"category": "/" * 100}, {"source": 7}])
def test_a_child_that_could_not_be_stored_carries_the_reason(scripts, bad):
    """It is admitted under its parent's partition, without a script to run."""
    job = json.loads(child(scripts, {"target": "detail.py", "params": {}, **bad}).payload)
    assert (job["source"], job["category"]) == ("shop", "x")
    assert "path" not in job
    assert job["problem"]


@pytest.mark.clause("RUN-37")
def test_params_must_be_a_map(scripts):
    """Whatever a foreign executor sends."""
    with pytest.raises(TypeError, match="map"):
        child(scripts, {"target": "detail.py", "params": [1]})
