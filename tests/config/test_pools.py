"""Proxy pools as the configuration file defines them."""

from __future__ import annotations

import time

import pytest

from quarry.types.proxy import Endpoint, Health, ProxyPool, Sticky
from quarry.types.secret import Secret
from tests.config.pools import PLANTED, read, told

URL = "must be a URL such as http://USER:PASSWORD@HOST:PORT"


def pools(folder, text, environment=None) -> dict[str, ProxyPool]:
    """Give the pools of a file without fault."""
    found = read(folder, text, environment)
    assert found.problems == []
    return found.values["proxies"].value


@pytest.mark.clause("PROXY-01", "PROXY-02")
def test_endpoints_are_urls_and_mappings(tmp_path):
    """In their order; hosts in lower case, IPv6 without brackets; credentials decoded, passwords hidden."""
    pool = pools(
        tmp_path,
        "proxies:\n"
        "  shop:\n"
        "    endpoints:\n"
        "      - http://us%65r:hunter2%40%3A%2f@Proxy.Example.ORG:08080/\n"
        "      - HTTPS://10.0.0.1:443\n"
        "      - 'socks5://[2001:DB8:0::1]:1080'\n"
        "      - http://a:b@c:hunter2@h_1.:x@h:1\n"
        "      - {protocol: socks5, host: '[::1]', port: 1080, username: 'u:v', password: '${PW}'}\n"
        "      - {protocol: http, host: ::1, port: 1, username: '${USER_ID}', password: 007}\n"
        "",
        {"PW": PLANTED, "USER_ID": "id"},
    )["shop"]
    assert [endpoint.identity for endpoint in pool.endpoints] == [
        "http://user@proxy.example.org:8080",
        "https://10.0.0.1:443",
        "socks5://[2001:db8::1]:1080",
        "http://a@h:1",
        "socks5://u:v@[::1]:1080",
        "http://id@[::1]:1",
    ]
    passwords = [endpoint.password and endpoint.password.reveal() for endpoint in pool.endpoints]
    assert passwords == ["hunter2@:/", None, None, "b@c:hunter2@h_1.:x", PLANTED, "007"]
    assert (pool.name, pool.strategy, pool.sticky, pool.recency_window) == ("shop", "round_robin", None, 0)
    assert pool.health == Health()


@pytest.mark.clause("PROXY-01")
@pytest.mark.parametrize(
    ("body", "strategy", "sticky", "window"),
    [
        ("strategy: round_robin", "round_robin", None, 0),
        ("strategy: round-robin", "round_robin", None, 0),
        ("strategy: random", "random", None, 0),
        ("strategy: random, recency_window: 1", "random", None, 1),
        ("strategy: sticky", "sticky", Sticky(scope="job"), 0),
        ("strategy: sticky, sticky: {ttl: 90s}", "sticky", Sticky(scope="job", ttl_ms=90_000), 0),
        ("strategy: sticky, sticky: {ttl_ms: 1500}", "sticky", Sticky(scope="job", ttl_ms=1500), 0),
        (
            "strategy: sticky, sticky: {scope: origin, ttl: 168h}",
            "sticky",
            Sticky(scope="origin", ttl_ms=604_800_000),
            0,
        ),
    ],
)
def test_strategies(tmp_path, body, strategy, sticky, window):
    """Without a block a sticky pool is sticky by job."""
    pool = pools(tmp_path, f"proxies: {{p: {{{body}, endpoints: ['http://h:1', 'http://h:2']}}}}\n")["p"]
    assert (pool.strategy, pool.sticky, pool.recency_window) == (strategy, sticky, window)


@pytest.mark.clause("PROXY-01")
@pytest.mark.parametrize(
    ("health", "expected"),
    [
        ("on", Health()),
        ("off", Health(enabled=False)),
        ("{failures: 1}", Health(failures=1)),
        (
            "{failures: 5, window: 2m, rest: 500ms, max_rest: 1h, trial: 5, ban: 24h}",
            Health(
                failures=5,
                window_ms=120_000,
                rest_ms=500,
                max_rest_ms=3_600_000,
                trial_ms=5000,
                ban_ms=86_400_000,
            ),
        ),
    ],
)
def test_health(tmp_path, health, expected):
    """On, off, or in numbers."""
    assert (
        pools(tmp_path, f"proxies: {{p: {{health: {health}, endpoints: ['http://h:1']}}}}\n")["p"].health
        == expected
    )


@pytest.mark.clause("PROXY-01")
def test_list_file_and_variable_are_put_together_in_this_order(tmp_path):
    """Whatever their order in the definition; a relative file lies beside the configuration."""
    (tmp_path / "list.txt").write_text("\ufeff# mine\n\nhttp://f:1\r\n  http://f:2  \n")
    text = (
        "proxies:\n"
        "  p: {endpoints_env: LIST, endpoints_file: ./list.txt, endpoints: ['http://l:1']}\n"
        "  q: {endpoints_file: '${HERE}/list.txt'}\n"
    )
    found = pools(tmp_path, text, {"LIST": "http://e:1\nhttp://e:2", "HERE": str(tmp_path)})
    assert [endpoint.host + str(endpoint.port) for endpoint in found["p"].endpoints] == [
        "l1",
        "f1",
        "f2",
        "e1",
        "e2",
    ]
    assert [endpoint.host for endpoint in found["q"].endpoints] == ["f", "f"]


@pytest.mark.clause("PROXY-01")
def test_what_has_no_effect_is_a_warning(tmp_path):
    """The pool is as if it were not there."""
    found = read(
        tmp_path,
        "proxies:\n"
        "  a: {recency_window: 1, endpoints: ['http://u:hunter2@h:1']}\n"
        "  b: {strategy: sticky, recency_window: 1, endpoints: ['http://h:1']}\n"
        "  c: {strategy: random, sticky: {scope: domain}, endpoints: ['http://h:1']}\n"
        "  d: {strategy: random, recency_window: 1, endpoints: ['http://h:1']}\n",
    )
    assert told(tmp_path, found.warnings) == [
        "F:2:7: proxies.a.recency_window: has no effect with strategy round_robin, only with random",
        "F:3:25: proxies.b.recency_window: has no effect with strategy sticky, only with random",
        "F:4:25: proxies.c.sticky: has no effect with strategy random, only with sticky",
        (
            "F:5:25: proxies.d.recency_window: leaves none of the 1 endpoints to choose from: it is always the one"
            " that was used longest ago"
        ),
    ]
    assert found.problems == []
    made = found.values["proxies"].value
    assert [pool.recency_window for pool in made.values()] == [0, 0, 0, 1]
    assert made["c"].sticky is None


@pytest.mark.clause("PROXY-01")
def test_hundred_thousand_lines_are_read_in_seconds(tmp_path):
    """And one more is refused."""
    lines = [
        f"http://user{at}:hunter2{at}@10.{at >> 16}.{at >> 8 & 255}.{at & 255}:8080\n"
        for at in range(100_001)
    ]
    (tmp_path / "list.txt").write_text("".join(lines[:-1]))
    started = time.process_time()
    pool = pools(tmp_path, "proxies: {p: {endpoints_file: list.txt}}\n")["p"]
    taken_s = time.process_time() - started
    print(f"100,000 lines: {taken_s:.2f} s of CPU")
    assert len(pool.endpoints) == len(pool.positions) == 100_000
    assert pool.endpoints[99_999] == Endpoint(
        protocol="http", host="10.1.134.159", port=8080, username="user99999", password=Secret("hunter299999")
    )
    assert taken_s < 30
    (tmp_path / "list.txt").write_text("".join(lines))
    found = read(tmp_path, "proxies: {p: {endpoints_file: list.txt}}\n")
    assert told(tmp_path, found.problems) == [
        "F:1:11: proxies.p: has more than 100000 endpoints, the most of a pool; make two of it"
    ]


@pytest.mark.clause("PROXY-01")
def test_of_many_problems_the_first_twenty_are_told(tmp_path):
    """And how many more there are; likewise of a list."""
    (tmp_path / "list.txt").write_text("http://u:hunter2@h:1\n" * 100_000)
    found = read(tmp_path, "proxies: {p: {endpoints_file: list.txt}}\n")
    assert len(found.problems) == 21
    assert found.problems[0].partition("endpoints_file: ")[2] == (
        "line 2 of list.txt: is the same as line 1 of list.txt (http://u@h:1); leave one out: endpoints differ in"
        " protocol, host, port or username"
    )
    assert found.problems[20].endswith("endpoints_file: has 99999 problems; 99979 of them are not shown")
    found = read(tmp_path, "proxies: {p: {endpoints: [" + "hunter2, " * 30 + "]}}\n")
    assert len(found.problems) == 21
    assert told(tmp_path, found.problems[:2]) == [
        "F:1:15: proxies.p.endpoints: has 30 problems; 10 of them are not shown",
        f"F:1:27: proxies.p.endpoints[0]: {URL}",
    ]


@pytest.mark.clause("PROXY-01")
def test_a_password_may_be_empty_where_it_is_given(tmp_path):
    """A key as the username is how some providers do it; no password at all is a mistake still."""
    pool = pools(
        tmp_path,
        "proxies:\n  p:\n    endpoints:\n      - http://key:@h:1\n"
        "      - {protocol: https, host: h, port: 2, username: k, password: ''}\n",
    )["p"]
    assert [endpoint.username for endpoint in pool.endpoints] == ["key", "k"]
    assert [endpoint.password for endpoint in pool.endpoints] == [Secret(""), Secret("")]


@pytest.mark.clause("PROXY-01")
def test_long_list_in_the_file_is_read_or_refused_with_the_way_out(tmp_path):
    """URLs fit; mappings of five keys each would take minutes to parse."""
    urls = "".join(f"      - http://h{at}:1\n" for at in range(20_000))
    assert len(pools(tmp_path, f"proxies:\n  p:\n    endpoints:\n{urls}")["p"].endpoints) == 20_000
    text = "a: &a [" + "x, " * 5000 + "]\nb: [" + "*a, " * 60 + "]\n"
    assert "more than 250000 keys, aliases counted; a pool takes many endpoints from a file" in "".join(
        read(tmp_path, text).problems
    )


@pytest.mark.clause("PROXY-01")
@pytest.mark.parametrize(
    "text",
    ["proxies: {}\n", "", "proxies: {p: &p {endpoints: ['http://h:1']}, q: *p}\n"],
)
def test_empty_and_repeated_definitions(tmp_path, text):
    """No pool is no fault; an alias makes a second pool of its own name."""
    found = read(tmp_path, text)
    assert found.problems == []
    if "*p" in text:
        made = found.values["proxies"].value
        assert (made["p"].name, made["q"].name) == ("p", "q")
