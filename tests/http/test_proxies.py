"""The HTTP client through real proxies: what works, and whose fault it is when it doesn't."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import traceback
from dataclasses import dataclass

import pytest

from quarry.http import FetchError, Http, ProxyUse, endpoint_of
from quarry.http.curl import CurlTransport
from quarry.http.use import MAX_QUESTIONS
from tests.http.support import Server
from tests.proxies.servers import HOST, Microsocks, Tinyproxy, TlsFront, make_certificate
from tests.workers.kit import free_port

PROXIES = ("http", "https", "socks5")
TARGETS = ("http", "https")
through_each = pytest.mark.parametrize("protocol", PROXIES)
to_each = pytest.mark.parametrize("scheme", TARGETS)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@dataclass
class Stage:
    """A site over http and https, an http, an https and a SOCKS5 proxy, all with credentials."""

    transport: CurlTransport
    site: Server
    site_tls: TlsFront
    tinyproxy: Tinyproxy
    tinyproxy_tls: TlsFront
    microsocks: Microsocks
    authority: str

    def wire(self, protocol, **changed):
        if protocol == "socks5":
            return self.microsocks.wire(**changed)
        port = self.tinyproxy.port if protocol == "http" else self.tinyproxy_tls.port
        return self.tinyproxy.wire(**{"protocol": protocol, "port": port, **changed})

    def server(self, protocol):
        return self.microsocks if protocol == "socks5" else self.tinyproxy

    def url(self, scheme, path="/", host=HOST):
        return f"{scheme}://{host}:{self.site.port if scheme == 'http' else self.site_tls.port}{path}"

    def client(self, wire):
        use = ProxyUse()
        return Http(lambda: self.transport, proxy=endpoint_of(wire), use=use, jitter=lambda: -0.99), use

    async def get(self, wire, url, **options):
        """Response or error of one GET, and what was counted: ok, failed."""
        http, use = self.client(wire)
        try:
            answer = await http.get(url, **{"verify": self.authority, **options})
        except FetchError as error:
            answer = error
        entry = use.report()[0] if use.report() else {"ok": 0, "failed": 0}
        return answer, (entry["ok"], entry["failed"])


@pytest.fixture
async def stage(tmp_path, certificate):
    transport = CurlTransport()
    async with Server() as site:
        with (
            Tinyproxy(tmp_path / "tinyproxy") as tinyproxy,
            Microsocks(tmp_path / "microsocks") as microsocks,
            TlsFront(certificate, tinyproxy.port) as tinyproxy_tls,
            TlsFront(certificate, site.port) as site_tls,
        ):
            yield Stage(transport, site, site_tls, tinyproxy, tinyproxy_tls, microsocks, str(certificate[0]))
            await transport.close()


def told(error):
    """Everything that an error says of itself."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


@pytest.mark.clause("PROXY-15")
@to_each
@through_each
async def test_every_proxy_carries_to_every_target(stage, protocol, scheme):
    """With its credentials; names are resolved by the proxy; what it carried is counted."""
    url = stage.url(scheme, host="localhost")
    answer, counted = await stage.get(stage.wire(protocol), url)
    assert answer.status_code == 200
    assert counted == (1, 0)
    assert len(stage.server(protocol).carried()) == 1
    assert stage.server(protocol).carried()[0].startswith("localhost:")


@pytest.mark.clause("PROXY-18")
@to_each
@through_each
async def test_wrong_credentials_are_the_proxys_failure(stage, protocol, scheme):
    """Also where the proxy says 401 in the target's place; they are not tried again, and no password is told."""
    wire = stage.wire(protocol, password="wrong-pass.word")
    answer, counted = await stage.get(wire, stage.url(scheme))
    assert (answer.kind, answer.tries, answer.retryable) == ("proxy", 1, False)
    assert counted == (0, 1)
    assert f"the proxy {protocol}://user@127.0.0.1:" in answer.message
    assert "refuses the credentials" in answer.message
    assert "wrong-pass" not in told(answer)
    assert stage.site.heads == []


@pytest.mark.clause("PROXY-18")
@to_each
@through_each
async def test_missing_credentials_are_the_proxys_failure(stage, protocol, scheme):
    """A 407 over plain HTTP too."""
    wire = stage.wire(protocol)
    del wire["username"], wire["password"]
    answer, counted = await stage.get(wire, stage.url(scheme))
    assert (answer.kind, counted) == ("proxy", (0, 1))


@pytest.mark.clause("PROXY-18")
@to_each
@through_each
async def test_a_proxy_that_is_down(stage, protocol, scheme):
    """It is tried again, and counted once for the request."""
    answer, counted = await stage.get(stage.wire(protocol, port=free_port()), stage.url(scheme))
    assert (answer.kind, answer.tries, answer.retryable) == ("proxy", 3, True)
    assert counted == (0, 1)
    assert "can't be reached" in answer.message


@pytest.mark.clause("PROXY-18")
@to_each
@through_each
async def test_a_target_that_is_down(stage, protocol, scheme):
    """It is no fault of the proxy: a connect error where a tunnel was asked for, else the proxy's own 5xx."""
    answer, counted = await stage.get(stage.wire(protocol), f"{scheme}://{HOST}:{free_port()}/", retries=0)
    if scheme == "http" and protocol != "socks5":
        assert (answer.status_code, counted) == (500, (1, 0))
    else:
        assert (answer.kind, counted) == ("connect", (0, 0))
        assert "can't reach the target" in answer.message


@pytest.mark.clause("PROXY-18")
@to_each
@through_each
async def test_statuses_of_the_target_are_data(stage, protocol, scheme):
    """Its 401 and 407 too, and the proxy is asked about them once."""
    statuses = [401, 401, 403, 407, 401, 500, 502]
    for status in statuses:
        answer, counted = await stage.get(stage.wire(protocol), stage.url(scheme, f"/status/{status}"))
        assert (getattr(answer, "status_code", answer), counted) == (status, (1, 0))
    if scheme == "http" and protocol != "socks5":
        assert [method for method, _ in stage.tinyproxy.requests()].count("CONNECT") == 1
        assert stage.tinyproxy.refused() == 0


@pytest.mark.clause("PROXY-18")
async def test_many_refusals_cost_one_question(stage):
    """A wrong password in a busy crawl does not double the requests."""
    wire = stage.wire("http", password="wrong-pass.word")
    answers = await asyncio.gather(*(stage.get(wire, stage.url("http"), retries=0) for _ in range(10)))
    assert [(answer.kind, counted) for answer, counted in answers] == [("proxy", (0, 1))] * 10
    assert [method for method, _ in stage.tinyproxy.requests()].count("CONNECT") == 1


@pytest.mark.clause("PROXY-18")
async def test_a_port_that_the_proxy_refuses(stage, tmp_path):
    """It is the proxy's word, not tried again, and no failure of its health."""
    with Tinyproxy(tmp_path / "strict", connect_ports=(1,)) as strict:
        answer, counted = await stage.get(strict.wire(), stage.url("https"))
    assert (answer.kind, answer.target_refused, answer.tries, counted) == ("proxy", True, 1, (0, 0))
    assert not answer.retryable
    assert "refuses to connect to the target (CONNECT was answered with 403)" in answer.message


@pytest.mark.clause("PROXY-18")
async def test_a_slow_target_is_no_slow_proxy(stage):
    """A timeout is not the fault of a proxy that lives, on a new connection and on an old one; one question tells."""

    async def visit(protocol, scheme):
        http, use = stage.client(stage.wire(protocol))
        for path in ("/slow", "/", "/slow"):
            with contextlib.suppress(FetchError):
                timeout_s = 3 if path == "/slow" else 30  # handshakes take their time where much else runs
                await http.get(stage.url(scheme, path), timeout_s=timeout_s, verify=stage.authority)
        await use.settle(lambda: stage.transport)
        return [(entry["ok"], entry["failed"]) for entry in use.report()]

    ways = [(protocol, scheme) for protocol in PROXIES for scheme in TARGETS]
    assert await asyncio.gather(*(visit(*way) for way in ways)) == [[(1, 0)]] * len(ways)
    asked = [target for _, target in stage.tinyproxy.requests() if target == "127.0.0.1:1"]
    assert len(asked) == 2  # as http proxy, and behind TLS


@pytest.mark.clause("PROXY-18")
async def test_a_proxy_that_hangs(stage):
    """It takes connections and does nothing more: a timeout for the script at once, its failure once it was asked."""

    async def visit(protocol, scheme, *, before):
        http, use = stage.client(stage.wire(protocol))
        options = {"timeout_s": 3 if not before else 30, "verify": stage.authority}
        try:
            answer = (await http.get(stage.url(scheme), **options)).status_code
        except FetchError as error:
            answer = (error.kind, error.tries)
        told = [use.report()[0]["failed"]]
        await use.settle(lambda: stage.transport)
        return answer, [*told, use.report()[0]["failed"]]

    ways = [(protocol, scheme) for protocol in PROXIES for scheme in TARGETS]
    # Connections that stood before, and new ones beside them.
    visits = await asyncio.gather(*(visit(*way, before=True) for way in ways))
    assert visits == [(200, [0, 0])] * len(ways)
    for server in (stage.tinyproxy, stage.microsocks):
        server.pause()
    visits = await asyncio.gather(*(visit(*way, before=False) for way in ways * 2))
    assert visits == [(("timeout", 1), [0, 1])] * len(ways) * 2


@pytest.mark.clause("PROXY-18")
async def test_signs_of_life(stage, tmp_path):
    """A refusal of the port, of the credentials, a closed connection; silence and absence are none."""

    async def lives(wire):
        return await stage.transport.lives(endpoint_of(wire), verify=stage.authority)

    with Tinyproxy(tmp_path / "strict", connect_ports=(443,)) as strict:
        alive = [strict.wire()]
        alive += [stage.wire(protocol) for protocol in PROXIES]
        alive += [stage.wire(protocol, password="wrong.password") for protocol in PROXIES]
        async with silent(answer=b"") as closing, silent() as hanging:
            alive += [stage.wire(protocol, port=closing) for protocol in PROXIES]
            dead = [stage.wire(protocol, port=hanging) for protocol in PROXIES]
            dead += [stage.wire(protocol, port=free_port()) for protocol in PROXIES]
            verdicts = await asyncio.gather(*(lives(wire) for wire in [*alive, *dead]))
    assert verdicts == [True] * len(alive) + [False] * len(dead)


@pytest.mark.clause("PROXY-18")
async def test_what_a_run_asks_is_bounded(stage):
    """Eight endpoints; what is not asked about stays unheard, and no transport is made for nothing."""
    use = ProxyUse()
    await use.settle(lambda: pytest.fail("there is nothing to ask"))
    for _ in range(MAX_QUESTIONS + 2):
        use.unheard(endpoint_of(stage.wire("http", port=free_port())))
    await use.settle(lambda: stage.transport)
    told = [(entry["failed"], entry["unheard"]) for entry in use.report()]
    assert told == [(1, 0)] * MAX_QUESTIONS + [(0, 1)] * 2


@contextlib.contextmanager
def unreachable():
    """A port whose queue is full: connections to it are neither made nor refused."""
    with contextlib.ExitStack() as sockets:
        full = sockets.enter_context(socket.socket())
        full.bind((HOST, 0))
        full.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(full.getsockname())
        yield full.getsockname()[1]


@pytest.mark.clause("PROXY-18")
@to_each
@through_each
async def test_a_proxy_that_does_not_take_the_connection(stage, protocol, scheme):
    """The time runs out before there was a connection: the proxy's failure."""
    with unreachable() as port:
        answer, counted = await stage.get(
            stage.wire(protocol, port=port), stage.url(scheme), timeout_s=0.5, retries=0
        )
    assert (answer.kind, counted) == ("proxy", (0, 1))
    assert "timed out" in answer.message


@pytest.mark.clause("PROXY-18")
@to_each
async def test_an_https_proxy_that_never_ends_its_handshake(stage, scheme):
    """Its connection does not stand before TLS does."""
    async with silent() as port:
        wire = stage.wire("https", port=port)
        answer, counted = await stage.get(wire, stage.url(scheme), timeout_s=0.5, retries=0)
    assert (answer.kind, counted) == ("proxy", (0, 1))


@contextlib.asynccontextmanager
async def silent(answer=None):
    """A port that takes connections and says nothing, or closes them once asked."""
    writers = []

    async def connected(reader, writer):
        writers.append(writer)
        if answer is not None:
            await reader.read(1)
            writer.write(answer)
            writer.close()

    server = await asyncio.start_server(connected, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()


@pytest.mark.clause("PROXY-18")
@pytest.mark.parametrize(
    ("protocol", "scheme", "kind"),
    [
        ("http", "http", "broken"),  # a tinyproxy whose target breaks off says the same
        ("http", "https", "proxy"),
        ("https", "http", "proxy"),
        ("https", "https", "proxy"),
        ("socks5", "http", "proxy"),
        ("socks5", "https", "proxy"),
    ],
)
async def test_a_proxy_that_breaks_off(stage, protocol, scheme, kind):
    """Before handshake or tunnel stood, it is the proxy's failure."""
    async with silent(answer=b"") as port:
        answer, counted = await stage.get(stage.wire(protocol, port=port), stage.url(scheme), retries=0)
    assert (answer.kind, counted) == (kind, (0, 1 if kind == "proxy" else 0))


@pytest.mark.clause("PROXY-18")
@to_each
@through_each
async def test_a_target_that_breaks_off(stage, protocol, scheme):
    """In the tunnel, or in the middle of a body, it is no failure of the proxy."""
    answer, counted = await stage.get(stage.wire(protocol), stage.url(scheme, "/half"), retries=0)
    assert (answer.kind, counted) == ("broken", (0, 0))
    stage.site.failures["/once"] = 5
    answer, counted = await stage.get(stage.wire(protocol), stage.url(scheme, "/once"), retries=0)
    assert (answer.kind, counted) == ("broken", (0, 0))


@pytest.mark.clause("PROXY-18")
@through_each
async def test_certificates(stage, protocol):
    """That of an https proxy is the proxy's failure, that of a target behind a proxy the target's."""
    answer, counted = await stage.get(stage.wire(protocol), stage.url("https"), verify=True, retries=0)
    assert (answer.kind, counted) == (("proxy", (0, 1)) if protocol == "https" else ("tls", (0, 0)))


@pytest.mark.clause("PROXY-16")
async def test_another_proxy_from_the_next_try_on(stage, tmp_path):
    """What fails counts for the proxy that it went through, and so does what is carried; in the order of their use."""
    with Tinyproxy(tmp_path / "other") as other:
        http, use = stage.client(stage.wire("http", port=free_port()))
        with pytest.raises(FetchError):
            await http.get(stage.url("http"))
        http.use_proxy(endpoint_of(other.wire()))
        await http.get(stage.url("http"))
        await http.get(stage.url("http"))
        assert len(other.carried()) == 2
    dead, alive = use.report()
    assert (dead["ok"], dead["failed"], dead["latency_ms"]) == (0, 1, 0)
    assert (alive["ok"], alive["failed"], alive["port"]) == (2, 0, other.port)
    assert set(alive) == {"protocol", "host", "port", "username", "ok", "failed", "unheard", "latency_ms"}
    assert stage.tinyproxy.requests() == []
