"""The commands that look at proxy pools, against a configuration and a real Redis."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing

import pytest

from quarry.config.worker import load_worker_settings
from quarry.proxy import Circumstances, decide_ask
from quarry.recency import RedisRecency
from quarry.redisio import make_client
from quarry.types.rotation import ProxyReport
from tests.cli.commands import quarry, tree_of
from tests.scheduler.servers import running_server

PASSWORD = "planted-Pa55word"
CONFIG = f"""
proxies:
  shop:
    endpoints:
      - http://ada:{PASSWORD}@10.0.0.1:8001
      - http://10.0.0.2:8002
      - socks5://10.0.0.3:8003
    health: {{failures: 1, rest: 10m, max_rest: 10m}}
  wide:
    strategy: random
    recency_window: 2
    endpoints: [http://10.0.0.1:80, http://10.0.0.2:80, http://10.0.0.3:80]
  site:
    strategy: sticky
    sticky: {{scope: domain, ttl: 30m}}
    endpoints: [http://10.0.0.1:80, http://10.0.0.2:80]
  many:
    endpoints_file: many.txt
    health: {{failures: 1, rest: 10m, max_rest: 10m}}
"""
IDENTITIES = ["http://ada@10.0.0.1:8001", "http://10.0.0.2:8002", "socks5://10.0.0.3:8003"]
MANY = [f"http://10.1.{n // 250}.{n % 250}:80" for n in range(300)]


@pytest.fixture(scope="module")
def server():
    with running_server("redis") as running:
        yield running


@pytest.fixture
def broker(server):
    """Address of an empty Redis."""
    with closing(server.client()) as client:
        client.flushall()
    return server.url


@pytest.fixture
def shop(work):
    """A folder with the configuration."""
    (work / "quarry.yaml").write_text(CONFIG)
    (work / "many.txt").write_text("\n".join(MANY))
    return work


def ask(shop, *arguments, broker=None, **more):
    """Call a command with the configuration, and see that no password is shown."""
    done = quarry(
        *arguments,
        "--config",
        "quarry.yaml",
        *(("--broker", broker) if broker else ()),
        cwd=shop,
        **more,
    )
    assert PASSWORD not in done.out + done.err
    assert "Traceback" not in done.err
    return done


def use(shop, broker, work):
    """Do something with the pools as a worker with this configuration would; gives what it gives."""

    async def run():
        client = make_client(broker)
        try:
            return await work(RedisRecency(client), pools)
        finally:
            await client.aclose()

    pools = load_worker_settings({"QUARRY_CONFIG": str(shop / "quarry.yaml")}, str(shop)).proxies
    return asyncio.run(run())


def question(pool, n=0, url=None):
    return decide_ask(pool, Circumstances(job_key=f"job {n}", url=url), dice=n * 12345)


@pytest.mark.clause("CLI-34")
def test_list_pools_needs_nothing_but_the_configuration(shop):
    """Definitions by name; what only a broker knows is null."""
    rows = ask(shop, "list", "pools").document
    assert [row["pool"] for row in rows] == ["many", "shop", "site", "wide"]
    assert {row["choices"] for row in rows} == {None}
    shown = {row["pool"]: row for row in rows}
    assert (shown["many"]["size"], shown["shop"]["strategy"]) == (300, "round_robin")
    assert shown["site"]["sticky"] == {"scope": "domain", "ttl_ms": 1_800_000}
    assert (shown["wide"]["recency_window"], shown["shop"]["recency_window"]) == (2, None)
    assert len({row["digest"] for row in rows}) == 4
    text = ask(shop, "list", "pools", "--format", "table").out
    assert "sticky (domain, 1800 s)" in text
    assert "digest: " in ask(shop, "list", "pools", "--format", "yaml").out


@pytest.mark.clause("CLI-34")
def test_list_pools_without_any(work):
    assert quarry("list", "pools", cwd=work).document == []
    assert "no pools" in quarry("list", "pools", "--format", "table", cwd=work).out


@pytest.mark.clause("CLI-34")
def test_list_pools_shows_what_the_fleet_did_and_what_it_defines_differently(shop, broker):
    """Choices, rests, another definition of a name, and a pool that only the broker knows."""

    async def work(store, pools):
        for name in ("shop", "wide"):
            await store.announce(pools[name])
            for n in range(4):
                choice = await store.choose(pools[name], question(pools[name], n))
        await store.report(pools["shop"], ProxyReport(index=choice.index, number=4, failed=1))

    use(shop, broker, work)
    before = ask(shop, "list", "pools", broker=broker).document
    assert {row["pool"]: row["choices"] for row in before} == {"many": 0, "shop": 4, "site": 0, "wide": 4}
    assert {row["pool"]: row["resting"] for row in before}["shop"] == 1
    assert all(row["others"] == [] for row in before)
    assert [row["pool"] for row in before if row["last_used_at"]] == ["shop", "wide"]
    (shop / "quarry.yaml").write_text("proxies:\n  shop:\n    endpoints: [http://10.0.0.9:1]\n")
    shown, lost = ask(shop, "list", "pools", broker=broker).document
    assert (shown["pool"], shown["choices"], shown["in_configuration"]) == ("shop", 0, True)
    (other,) = shown["others"]
    old = {row["pool"]: row for row in before}
    assert (other["digest"], other["choices"], other["size"]) == (old["shop"]["digest"], 4, 3)
    assert (lost["pool"], lost["in_configuration"]) == ("wide", False)
    assert (lost["digest"], lost["choices"]) == (old["wide"]["digest"], 4)
    text = ask(shop, "list", "pools", "--format", "table", broker=broker).out
    assert f"another definition of shop is in use: {other['digest']}, round_robin, 3 endpoints" in text
    assert "not in the configuration" in text


@pytest.mark.clause("CLI-35", "PROXY-20", "PROXY-21")
def test_inspect_proxy_shows_use_and_health_by_endpoint(shop, broker):
    """What runs reported; the endpoint that rests comes first, then the banned one; names without passwords."""

    async def work(store, pools):
        pool = pools["shop"]
        choices = [await store.choose(pool, question(pool, n)) for n in range(3)]
        first, second, third = choices
        await store.report(pool, ProxyReport(index=first.index, number=first.number, ok=4, latency_ms=50))
        await store.report(pool, ProxyReport(index=second.index, number=second.number, banned="a.example"))
        await store.report(pool, ProxyReport(index=third.index, number=third.number, ok=1, failed=2))

    use(shop, broker, work)
    told = ask(shop, "inspect", "proxy", "shop", broker=broker).document
    assert [row["endpoint"] for row in told["endpoints"]] == [IDENTITIES[2], IDENTITIES[1], IDENTITIES[0]]
    rests, banned, healthy = told["endpoints"]
    assert (rests["state"], rests["failed"], rests["rests"]) == ("resting", 2, 1)
    assert rests["resting_until"] > rests["last_used_at"]
    assert list(banned["banned"]) == ["a.example"]
    assert (healthy["ok"], healthy["mean_latency_ms"], healthy["chosen"]) == (4, 12.5, 1)
    assert healthy["resting_until"] is None
    assert (told["choices"], told["resting"], told["omitted"]) == (3, 1, 0)
    assert told["states"] == {"healthy": 2, "resting": 1, "due": 0, "trial": 0}
    assert told["window_fill"] is None
    text = ask(shop, "inspect", "proxy", "shop", "--format", "table", broker=broker).out
    assert "healthy 2, resting 1, due 0, trial 0" in text
    assert "a.example until " in text


@pytest.mark.clause("CLI-35")
def test_inspect_proxy_shows_the_recency_window(shop, broker):
    async def work(store, pools):
        await store.choose(pools["wide"], question(pools["wide"]))

    use(shop, broker, work)
    told = ask(shop, "inspect", "proxy", "wide", broker=broker).document
    assert (told["recency_window"], told["window_fill"]) == (2, 1)
    text = ask(shop, "inspect", "proxy", "wide", "--format", "table", broker=broker).out
    assert "recency window 2: 1 endpoints within it" in text


@pytest.mark.clause("CLI-35")
def test_inspect_proxy_of_many_endpoints_begins_with_what_rests(shop, broker):
    """At most fifty unless --limit says otherwise, and how many there are beside."""

    async def work(store, pools):
        pool = pools["many"]
        for n in range(200):
            choice = await store.choose(pool, question(pool, n))
        await store.report(pool, ProxyReport(index=choice.index, number=choice.number, failed=1))

    use(shop, broker, work)
    told = ask(shop, "inspect", "proxy", "many", broker=broker).document
    assert (len(told["endpoints"]), told["omitted"]) == (50, 250)
    assert [row["endpoint"] for row in told["endpoints"][:2]] == [MANY[199], MANY[0]]
    text = ask(shop, "inspect", "proxy", "many", "--format", "table", "--limit", "2", broker=broker).out
    assert "and 298 more endpoints; --limit 0 shows all" in text
    every = ask(shop, "inspect", "proxy", "many", "--limit", "0", broker=broker).document
    assert (len(every["endpoints"]), every["omitted"]) == (300, 0)


@pytest.mark.clause("CLI-35")
def test_another_strategy_is_another_definition(shop, broker):
    """Its figures are found with the flag that the crawl had."""

    async def work(store, pools):
        await store.announce(pools["shop"])
        await store.choose(pools["shop"], question(pools["shop"]))

    use(shop, broker, work)
    told = ask(shop, "inspect", "proxy", "shop", "--proxy-strategy", "random", broker=broker).document
    assert (told["strategy"], told["choices"], len(told["others"])) == ("random", 0, 1)


@pytest.mark.clause("CLI-36", "PROXY-09")
def test_debug_resolve_looks_ahead_and_marks_nothing(shop, broker):
    """The next choices of the fleet, in their order, twice the same; its Redis holds what it held."""

    async def work(store, pools):
        await store.choose(pools["shop"], question(pools["shop"]))

    use(shop, broker, work)
    ahead = ("debug", "resolve", "proxy", "shop", "--count", "3")
    first = ask(shop, *ahead, broker=broker).document
    assert [row["endpoint"] for row in first["choices"]] == [*IDENTITIES[1:], IDENTITIES[0]]
    assert [row["number"] for row in first["choices"]] == [2, 3, 4]
    assert (first["store"], first["committed"]) == ("broker", False)
    assert ask(shop, *ahead, broker=broker).document == first


@pytest.mark.clause("CLI-36")
def test_debug_resolve_commits_where_it_is_told_to(shop, broker):
    """The fleet goes on behind it."""
    marked = ask(shop, "debug", "resolve", "proxy", "shop", "--count", "2", "--commit", broker=broker)
    assert [row["endpoint"] for row in marked.document["choices"]] == IDENTITIES[:2]
    assert marked.document["committed"] is True

    async def work(store, pools):
        return await store.choose(pools["shop"], question(pools["shop"]))

    assert use(shop, broker, work).index == 2


@pytest.mark.clause("CLI-36")
def test_a_trial_that_no_run_makes_is_given_back(shop, broker):
    """A committed choice of an endpoint that comes back from its rest leaves the trial to the next run."""

    async def work(store, pools):
        pool = pools["shop"]
        for at in range(3):
            choice = await store.choose(pool, question(pool, at))
            await store.report(pool, ProxyReport(index=choice.index, number=choice.number, failed=1))
        keys = [key async for key in client_of(store).scan_iter("quarry:proxy:*:rests")]
        for at in range(3):
            await client_of(store).zadd(keys[0], {str(at): 1})  # their rests are over

    use(shop, broker, work)
    due = ask(shop, "inspect", "proxy", "shop", broker=broker).document
    assert due["states"]["due"] == 3
    told = ask(shop, "debug", "resolve", "proxy", "shop", "--commit", broker=broker).document
    assert told["choices"][0]["trial"] is True
    assert ask(shop, "inspect", "proxy", "shop", broker=broker).document["states"]["due"] == 3


def client_of(store):
    """The connection of a store, for looking at its keys."""
    return store._client


@pytest.mark.clause("CLI-36")
def test_debug_resolve_without_a_broker_is_a_rotation_of_its_own_and_says_so(shop):
    told = ask(shop, "debug", "resolve", "proxy", "shop", "--count", "4")
    assert [row["endpoint"] for row in told.document["choices"]] == [*IDENTITIES, IDENTITIES[0]]
    assert told.document["store"] == "memory"
    assert "no broker" in told.err
    assert "in memory" in ask(shop, "debug", "resolve", "proxy", "shop", "--format", "table").out


@pytest.mark.clause("CLI-36", "PROXY-07")
def test_debug_resolve_asks_as_the_runs_of_a_url_do(shop):
    """A sticky pool keeps the endpoint of a domain; of jobs, each has its own."""
    command = ("debug", "resolve", "proxy", "site", "--count", "3")
    told = ask(shop, *command, "--url", "https://A.example:8443/x").document
    assert (told["sticky_by"], told["domain"]) == ("domain", "a.example")
    assert [row["reason"] for row in told["choices"]] == ["free", "sticky", "sticky"]
    by_origin = ask(shop, *command, "--proxy-origin", "http://b.example").document
    assert (by_origin["sticky_by"], by_origin["domain"]) == ("domain", "b.example")
    by_job = ask(shop, *command).document
    assert [row["position"] for row in by_job["choices"]] == [0, 1, 0]
    by_key = ask(shop, *command, "--proxy-sticky-key", "hidden-key")
    assert {row["position"] for row in by_key.document["choices"]} == {0}
    assert "hidden-key" not in by_key.out + by_key.err
    other = ask(shop, *command, "--proxy-strategy", "random", "--proxy-sticky-key", "x")
    assert other.document["strategy"] == "random"
    assert "no effect" in other.err


BAD = {
    "unknown pool": (("inspect", "proxy", "shpo"), 1, "did you mean shop?"),
    "unknown pool to resolve": (("debug", "resolve", "proxy", "zzzz"), 1, "known: shop, wide, site, many"),
    "a URL as the pool": (
        ("inspect", "proxy", f"http://u:{PASSWORD}@h:1"),
        1,
        "there is no proxy pool of that",
    ),
    "no broker": (("inspect", "proxy", "shop"), 64, "no broker"),
    "count of 0": (
        ("debug", "resolve", "proxy", "shop", "--count", "0"),
        64,
        "--count: must be a whole number",
    ),
    "count too large": (("debug", "resolve", "proxy", "shop", "--count", "10001"), 64, "from 1 to 10000"),
    "count is no number": (("debug", "resolve", "proxy", "shop", "--count", "x"), 64, "not 'x'"),
    "bad URL": (
        ("debug", "resolve", "proxy", "shop", "--url", f"//u:{PASSWORD}@"),
        64,
        "--url: must be a URL",
    ),
    "bad domain": (("debug", "resolve", "proxy", "shop", "--proxy-domain", "a/b"), 64, "--proxy-domain"),
    "bad origin": (("debug", "resolve", "proxy", "shop", "--proxy-origin", "a"), 64, "--proxy-origin"),
    "bad strategy": (("inspect", "proxy", "shop", "--proxy-strategy", "x"), 64, "--proxy-strategy"),
    "bad limit": (("inspect", "proxy", "shop", "--limit", "-1"), 64, "--limit"),
    "no pool": (("inspect", "proxy"), 64, "missing argument"),
    "bad broker": (("list", "pools", "--broker", "redis://127.0.0.1:1/0"), 64, "broker"),
}


@pytest.mark.clause("CLI-34", "CLI-35", "CLI-36", "CLI-05")
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_words(shop, name):
    """Each with its exit code; standard output stays empty."""
    arguments, code, part = BAD[name]
    done = ask(shop, *arguments)
    assert (done.code, done.out) == (code, ""), done.err
    assert part in done.err


@pytest.mark.clause("CLI-05")
def test_two_problems_of_a_question_are_told_at_once(shop):
    done = ask(shop, "debug", "resolve", "proxy", "shop", "--count", "0", "--url", "x")
    assert done.code == 64
    assert "--count" in done.err
    assert "--url" in done.err


@pytest.mark.clause("CLI-26")
def test_looking_changes_nothing(shop):
    """Neither beside the configuration nor in the state folder."""
    before = tree_of(shop.parent)
    for arguments in (("list", "pools"), ("inspect", "proxy", "shop"), ("debug", "resolve", "proxy", "shop")):
        ask(shop, *arguments)
    assert tree_of(shop.parent) == before


@pytest.mark.clause("CLI-16")
def test_documents_are_one_value(shop):
    """As of every command: one array of a list, one object of the others."""
    assert isinstance(json.loads(ask(shop, "list", "pools").out), list)
    assert isinstance(json.loads(ask(shop, "debug", "resolve", "proxy", "shop").out), dict)
