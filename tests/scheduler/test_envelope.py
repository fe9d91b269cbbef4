"""The Celery message that the ledger pushes, against what Celery itself would have sent."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time

import pytest

from quarry.redisio import broker_url
from tests.scheduler.celery_app import make_app
from tests.scheduler.crawling import key_of


def decoded_body(message):
    """The body, however it is encoded."""
    text = message["body"]
    if message["properties"].get("body_encoding") == "base64":
        text = base64.b64decode(text)
    return json.loads(text)


@pytest.fixture
async def both(crawl, server):
    """A message of the ledger, and one of `apply_async` of the same task, arguments, name and representation."""
    await crawl.begin("a")
    ours = json.loads(await crawl.client.rpop("quarry"))
    app = make_app(broker_url(server.url))
    with app.pool.acquire(block=True) as connection:
        app.tasks["quarry.run"].apply_async(
            ["c1", key_of("a")], shadow="run:t/t", argsrepr="('a')", connection=connection
        )
    app.close()
    theirs = json.loads(await crawl.client.rpop("quarry"))
    return ours, theirs


@pytest.mark.clause("LEDGER-32")
async def test_headers_are_those_of_apply_async(both):
    """The same names and values; but for ids and origin, and our time of pushing."""
    ours, theirs = both
    assert set(ours["headers"]) - set(theirs["headers"]) == {"quarry_ts"}
    assert set(theirs["headers"]) <= set(ours["headers"])
    for name in set(theirs["headers"]) - {"id", "root_id", "origin"}:
        assert ours["headers"][name] == theirs["headers"][name], name
    assert ours["headers"]["id"] == ours["headers"]["root_id"] == ours["properties"]["correlation_id"]


@pytest.mark.clause("LEDGER-32")
async def test_body_and_properties_mean_the_same(both):
    """Arguments, keywords and embedded options; routing; our body is plain JSON, not base64."""
    ours, theirs = both
    assert set(ours) == set(theirs)
    assert decoded_body(ours) == decoded_body(theirs) == [["c1", key_of("a")], {}, decoded_body(theirs)[2]]
    assert (ours["content-type"], ours["content-encoding"]) == (
        theirs["content-type"],
        theirs["content-encoding"],
    )
    assert set(theirs["properties"]) - set(ours["properties"]) == {"body_encoding", "argsrepr"}
    for name in ("delivery_mode", "delivery_info", "priority"):
        assert ours["properties"][name] == theirs["properties"][name], name


@pytest.mark.slow
@pytest.mark.clause("LEDGER-32")
async def test_a_real_celery_worker_executes_it(crawl, server, tmp_path):
    """Name, arguments and representation arrive as they were given, from a message that no Celery made."""
    await crawl.begin("a b", parallel=2)
    env = os.environ | {"ENVELOPE_TEST_BROKER": broker_url(server.url), "ENVELOPE_TEST_SOCKET": server.socket}
    command = [sys.executable, "-m", "celery", "-A", "tests.scheduler.celery_app", "worker", "-P", "solo"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "warning"]
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while await crawl.client.llen("executed") < 2 and time.monotonic() < deadline:
            assert worker.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.05)
        executed = [json.loads(text) for text in await crawl.client.lrange("executed", 0, -1)]
    finally:
        worker.terminate()
        worker.wait(20)
    assert [entry[:2] for entry in executed[::-1]] == [["c1", key_of("a")], ["c1", key_of("b")]]
    assert executed[-1][2]["shadow"] == "run:t/t"
    assert executed[-1][2]["repr"] == "('a')"
    assert len({entry[2]["id"] for entry in executed}) == 2
