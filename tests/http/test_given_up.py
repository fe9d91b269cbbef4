"""Requests through real proxies that are given up before anything came back, and a transport that is closed meanwhile."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from quarry.http import PATIENCE_S, Exchange, FetchError, Http, ProxyUse, endpoint_of
from quarry.http.curl import CurlTransport
from tests.proxies.servers import HOST, Microsocks, Tinyproxy, TlsFront, make_certificate

DEADLINE_S = 30.0
URL = "http://localhost/"


@pytest.fixture
async def transport():
    transport = CurlTransport()
    yield transport
    await transport.close()


@pytest.fixture(params=["http", "https", "socks5"])
def proxy(request, tmp_path):
    """A proxy of each protocol, its wire form, and who vouches for it."""
    made = Microsocks if request.param == "socks5" else Tinyproxy
    with made(tmp_path / "proxy") as proxy:
        if request.param != "https":
            yield proxy, proxy.wire(), True
            return
        certificate = make_certificate(tmp_path / "certificate")
        with TlsFront(certificate, proxy.port) as front:
            yield proxy, proxy.wire(protocol="https", port=front.port), str(certificate[0])


async def until(condition):
    """Wait for something to come about."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


class Listener:
    """A site that takes what comes and says nothing; counts the connections that something came over."""

    def __init__(self):
        self.heard = 0
        self._writers = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._connected, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def _connected(self, reader, writer):
        self._writers.append(writer)
        await reader.read(1)
        self.heard += 1


async def give_up(transport, proxy, url, *, when, waited_s):
    """Begin a request, and cancel it as if so much time had passed."""
    _, wire, verify = proxy
    now = [100.0]
    use = ProxyUse()
    http = Http(lambda: transport, proxy=endpoint_of(wire), use=use, clock=lambda: now[0])
    getting = asyncio.create_task(http.get(url, timeout_s=60, verify=verify))
    await until(when)
    now[0] += waited_s
    getting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await getting
    return use


def told(use):
    """Ok, failed and unheard of each endpoint."""
    return [(entry["ok"], entry["failed"], entry["unheard"]) for entry in use.report()]


@pytest.mark.clause("PROXY-18")
async def test_a_proxy_that_hangs(transport, proxy):
    """A doubt, until it is asked."""
    server = proxy[0]
    server.pause()
    use = await give_up(transport, proxy, URL, when=lambda: server.connections() > 0, waited_s=PATIENCE_S)
    assert told(use) == [(0, 0, 1)]
    await use.settle(lambda: transport)
    assert told(use) == [(0, 1, 0)]


@pytest.mark.clause("PROXY-18")
async def test_too_soon_to_say(transport, proxy):
    """A request that had hardly begun shows nothing."""
    server = proxy[0]
    server.pause()
    use = await give_up(
        transport, proxy, URL, when=lambda: server.connections() > 0, waited_s=PATIENCE_S - 0.1
    )
    assert told(use) == []


@pytest.mark.clause("PROXY-18")
async def test_a_slow_target_is_no_slow_proxy(transport, proxy):
    """What the proxy did in this very transfer shows that it lives; else it is a doubt that asking ends."""
    async with Listener() as target:
        for scheme in ("https", "http"):
            heard = target.heard
            use = await give_up(
                transport,
                proxy,
                f"{scheme}://{HOST}:{target.port}/",
                when=lambda heard=heard: target.heard > heard,
                waited_s=60,
            )
            # Of a SOCKS handshake libcurl tells nothing before TLS with the target stands.
            silent = (proxy[1]["protocol"] == "socks5") is (scheme == "https")
            assert told(use) == ([(0, 0, 1)] if silent else [])
            await use.settle(lambda: transport)
            assert told(use) == ([(0, 0, 0)] if silent else [])


async def test_closing_while_a_proxy_is_asked(transport, proxy):
    """Every handle leaves the transport before it is closed: nothing breaks, and nothing is taken for an answer."""
    server, wire, verify = proxy
    server.pause()
    endpoint = endpoint_of(wire)
    asking = asyncio.create_task(transport.lives(endpoint, verify=verify))
    trying = asyncio.create_task(transport.try_tunnel(endpoint, URL, verify=verify))
    exchange = Exchange(method="GET", url=URL, proxy=endpoint, verify=verify)
    fetching = asyncio.create_task(transport.fetch(exchange))
    await until(lambda: server.connections() == 3)
    await transport.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not (await trying).stood
    with pytest.raises(FetchError, match="closed"):
        await fetching


REFUSAL = b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"


@pytest.mark.clause("PROXY-18")
async def test_a_target_that_socks_does_not_allow(transport):
    """The proxy's word, not tried again, and no failure of its health."""

    async def refuse(reader, writer):
        await reader.read(64)
        writer.write(b"\x05\x00")
        await reader.read(512)
        writer.write(REFUSAL)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, HOST, 0)
    wire = {"protocol": "socks5", "host": HOST, "port": server.sockets[0].getsockname()[1]}
    use = ProxyUse()
    http = Http(lambda: transport, proxy=endpoint_of(wire), use=use)
    with pytest.raises(FetchError, match="refuses to connect to the target") as caught:
        await http.get(URL)
    server.close()
    assert (caught.value.kind, caught.value.target_refused, caught.value.tries) == ("proxy", True, 1)
    assert told(use) == []
