"""Four workers, twelve real proxies: each strategy's promise, by the proxies' own logs and by Redis's file."""

from __future__ import annotations

import socket
from collections import Counter, defaultdict
from contextlib import contextmanager

import pytest

from quarry.recency.redis import _sticky_key
from tests.e2e.harness import wait_for
from tests.proxies.failing import FailingProxy
from tests.proxies.rig import WINDOW
from tests.proxies.servers import HOST, Tinyproxy
from tests.proxies.site import HOSTS

pytestmark = pytest.mark.xdist_group("proxies-rig")

MANY = 600
FEW = 600


@contextmanager
def carrying(rig):
    """The list that takes how many requests each proxy carried within the block, by its own log."""
    before, within = rig.carried(), []
    yield within
    within += [after - earlier for earlier, after in zip(before, rig.carried(), strict=True)]


def peers_of(rig, crawl):
    """Position of the proxy of each request of a crawl, by URL, as the site saw it; each URL asked for once."""
    seen = rig.site.of(f"/{crawl}/")
    found = {f"{rig.site.url(request.host)}{request.path}": rig.at(request.peer) for request in seen}
    assert len(found) == len(seen), "a URL was asked for twice"
    return found


def assert_one_order(chosen, window):
    last: dict[int, int] = {}
    for number, position in enumerate(chosen):
        assert number - last.get(position, -window - 1) > window, (number, position)
        last[position] = number


@pytest.mark.slow
@pytest.mark.clause("PROXY-05", "PROXY-15")
def test_round_robin_is_exact_over_the_fleet(rig):
    """600 runs on four workers, 24 at once: each proxy's own log has as many requests as any other's."""
    before = len(rig.marks("turns"))
    with carrying(rig) as carried:
        done = rig.crawl("turns", rig.jobs("turns", MANY), pool="turns")
    assert done.code == 0, done.stderr
    print("requests by proxy:", carried)
    assert sum(carried) == MANY
    assert max(carried) - min(carried) <= 1
    peers = peers_of(rig, "turns")
    assert peers == rig.endpoints_of_runs("turns")
    assert Counter(peers.values()) == dict(enumerate(carried))
    assert rig.marks("turns") == [number % 12 for number in range(before + MANY)]
    workers = Counter(rig.workers_of_runs("turns").values())
    print("runs by worker:", dict(workers))
    assert set(workers) == {"w0", "w1", "w2", "w3"}


@pytest.mark.slow
@pytest.mark.clause("PROXY-06")
def test_random_keeps_off_the_last_choices_of_the_whole_fleet(rig):
    """By Redis's marks no endpoint is among the last W; proxies' logs, the site and the records agree with them."""
    with carrying(rig) as carried:
        done = rig.crawl("window", rig.jobs("window", FEW), pool="window")
    assert done.code == 0, done.stderr
    marks = rig.marks("window")
    print("requests by proxy:", carried)
    assert_one_order(marks, WINDOW)
    assert [Counter(marks)[at] for at in range(12)] == carried
    assert sum(carried) == FEW
    assert peers_of(rig, "window") == rig.endpoints_of_runs("window")


@pytest.mark.clause("PROXY-06")
def test_the_order_of_requests_is_the_order_of_marks(rig):
    """One run at a time on four workers: what the site saw, one after the other, is what Redis marked."""
    before = len(rig.marks("window"))
    done = rig.crawl("alone", rig.jobs("alone", 60), pool="window", parallel=1)
    assert done.code == 0, done.stderr
    order = [rig.at(request.peer) for request in rig.site.of("/alone/")]
    assert order == rig.marks("window")[before:]
    assert_one_order(order, WINDOW)


@pytest.mark.slow
@pytest.mark.clause("PROXY-07")
def test_a_domain_keeps_its_endpoint(rig):
    """Eight domains, eight endpoints: each domain's requests are in one proxy's log."""
    with carrying(rig) as carried:
        done = rig.crawl("domains", rig.jobs("domains", FEW, hosts=HOSTS), pool="by-domain")
    assert done.code == 0, done.stderr
    by_domain = defaultdict(set)
    for request in rig.site.of("/domains/"):
        by_domain[request.host].add(rig.at(request.peer))
    assert set(by_domain) == set(HOSTS)
    assert all(len(positions) == 1 for positions in by_domain.values()), by_domain
    assert sorted(carried) == [0] * 4 + [FEW // 8] * 8
    # The proxies' own logs: each of the eight names one host alone.
    asked = [{name for name in HOSTS for target in proxy.carried() if f"{name}:" in target and "/domains/" in target}
             for proxy in rig.proxies if isinstance(proxy, FailingProxy)]  # fmt: skip
    assert all(len(names) <= 1 for names in asked)
    assert peers_of(rig, "domains") == rig.endpoints_of_runs("domains")


@pytest.mark.clause("PROXY-07")
def test_a_job_keeps_its_endpoint_over_its_attempts(rig):
    """A second attempt goes out where the first did; another job elsewhere."""
    jobs = rig.jobs("attempts", 12, fails_at=1)
    done = rig.crawl("attempts", jobs, "--max-attempts", "2", pool="by-job")
    assert done.code == 0, done.stderr
    by_job = defaultdict(list)
    for request in rig.site.of("/attempts/"):
        by_job[request.path].append(rig.at(request.peer))
    assert {len(positions) for positions in by_job.values()} == {2}
    assert all(first == second for first, second in by_job.values())
    assert {first for first, _ in by_job.values()} == set(range(12))


@pytest.mark.clause("PROXY-07")
def test_a_key_is_forgotten_after_its_ttl(rig):
    """Counted from its last use: then the domain gets the next endpoint."""
    key = _sticky_key(rig.pool("short"), f"domain {HOSTS[0]}")
    for crawl in ("ttl-1", "ttl-2"):
        assert rig.crawl(crawl, rig.jobs(crawl, 1), pool="short").code == 0
        wait_for(lambda: not rig.fleet.client.exists(key), what="the end of the key")
    first, second = (rig.at(rig.site.of(f"/{crawl}/")[0].peer) for crawl in ("ttl-1", "ttl-2"))
    assert (first, second) == (0, 1)


@pytest.mark.clause("PROXY-15")
def test_every_request_was_authenticated(rig):
    """No proxy had anything to refuse, whatever the crawls before; and each does refuse who says no name."""
    done = rig.crawl("named", rig.jobs("named", 24), pool="turns")
    assert done.code == 0, done.stderr
    for proxy in rig.proxies:
        if isinstance(proxy, Tinyproxy | FailingProxy):
            assert proxy.refused() == 0
    direct = [
        seen.path for seen in rig.site.seen if seen.peer == HOST and not seen.path.startswith("/scripts/")
    ]
    assert direct == [], "requests that came without a proxy"
    before = rig.carried()
    for proxy in rig.proxies:
        assert _asks_for_a_name(proxy, f"{rig.site.url()}/unnamed"), proxy.identity
    assert rig.carried() == before
    assert rig.site.of("/unnamed") == []


def _asks_for_a_name(proxy, url):
    """Whether a request without credentials is refused."""
    with socket.create_connection((HOST, proxy.port), timeout=10) as stream:
        if proxy.protocol == "socks5":
            stream.sendall(b"\x05\x01\x00")  # the one method offered is: none
            return stream.recv(2) == b"\x05\xff"
        stream.sendall(f"GET {url} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        return stream.recv(64).split()[1] == b"407"
