"""The latency bench itself, with small crawls: what does not depend on how busy the machine is."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from tests.network import latency
from tests.network.latency import measure, page, table
from tests.workers.kit import end, redis_server

LEDGER_CALLS = 3
"""claim, admit, settle; what a fleet's run asks of Redis beside its message."""


@pytest.mark.timeout(300)
def test_a_run_asks_redis_as_often_whatever_the_latency(tmp_path):
    """Every crawl is exact; ledger calls and messages a run are the same at 0, 2 and 20 ms, and they are few."""
    rows = measure(tmp_path, alone=12, many=120, rounds=1)
    print(table(rows))
    for row in rows:
        # Enqueue events that arrive apart are admitted apart; the reaper and the end of the crawl are in it.
        assert LEDGER_CALLS - 0.5 <= row.many.a_run("evalsha", "eval") < LEDGER_CALLS + 1.5, row
        assert row.many.a_run("brpop") < 2.5, row
    assert rows[2].alone.ms_a_run > 3 * rows[2].round_trip_ms
    written = page(rows)
    assert table(rows) in written
    assert all(f"| {ms} ms |" in written for ms in latency.ROUND_TRIPS_MS)


def test_the_proxy_is_as_late_as_it_says(tmp_path):
    """A PING through it takes at least its round trip; what goes through is what was sent."""
    import redis

    with redis_server(tmp_path) as port:
        proxy = subprocess.Popen(
            [sys.executable, "-m", "tests.network.proxy", "127.0.0.1", str(port), "40"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=latency.ROOT,
        )
        try:
            assert proxy.stdout is not None
            client = redis.Redis(port=int(proxy.stdout.readline()), socket_timeout=30)
            client.ping()
            began = time.monotonic()
            for n in range(3):
                client.set("key", json.dumps([n] * 30_000))
            assert time.monotonic() - began >= 0.115
            assert json.loads(client.get("key")) == [2] * 30_000
            client.close()
        finally:
            end(proxy)
