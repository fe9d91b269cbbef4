"""The HTTP client against a real server."""

from __future__ import annotations

import asyncio
import pickle
import socket

import pytest

from quarry.http import FetchError, Http, HttpStatusError, endpoint_of
from quarry.http.curl import CurlTransport
from tests.http.support import Server


@pytest.fixture
async def server():
    async with Server() as running:
        yield running


@pytest.fixture
async def transport():
    made = CurlTransport()
    yield made
    await made.close()


@pytest.fixture
def http(transport):
    return client(transport)


def client(transport, **options):
    return Http(
        lambda: transport,
        jitter=lambda: -0.99,  # hardly any pause
        **options,
    )


def closed_port():
    """A port at which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


async def test_a_response_has_everything(server, http):
    """Status, final URL, headers, bytes, text, JSON."""
    response = await http.get(f"{server.url}/json", params={"q": "a b", "n": [1, 2], "flag": True})
    assert (response.status_code, response.ok, response.content) == (200, True, b'{"a": [1, 2]}')
    assert response.json() == {"a": [1, 2]}
    assert response.text == '{"a": [1, 2]}'
    assert response.headers["Content-Type"] == response.headers["content-type"] == "application/json"
    assert response.url == f"{server.url}/json?q=a+b&n=1&n=2&flag=true"
    assert server.line() == "GET /json?q=a+b&n=1&n=2&flag=true HTTP/1.1"


async def test_html_and_links(server, http):
    """The page is parsed with its own encoding; links become absolute."""
    response = await http.get(f"{server.url}/latin")
    assert response.html().css_first("p").text() == "café €"
    assert response.urljoin(" ../x?y#z ") == f"{server.url}/x?y#z"
    assert response.urljoin(None) == f"{server.url}/latin"


async def test_a_status_is_data_until_asked_otherwise(server, http):
    """404 is a response; raise_for_status makes it an error that survives pickling."""
    response = await http.get(f"{server.url}/missing")
    assert (response.status_code, response.ok) == (404, False)
    with pytest.raises(HttpStatusError, match="HTTP 404 from") as raised:
        response.raise_for_status()
    copy = pickle.loads(pickle.dumps(raised.value))
    assert (copy.status_code, copy.kind, copy.retryable) == (404, "status", False)
    assert (await http.get(server.url)).raise_for_status().content == b"hello"


async def test_bodies_are_sent_with_their_type(server, http):
    """Form, JSON, text and bytes; a header of the script's own wins."""
    sent = [
        ({"data": {"a": "1 2", "b": "ä"}}, b"a=1+2&b=%C3%A4", "application/x-www-form-urlencoded"),
        ({"json": {"a": 1}}, b'{"a": 1}', "application/json"),
        ({"data": "tëxt"}, "tëxt".encode(), "text/plain; charset=utf-8"),
        ({"data": b"\0\1"}, b"\0\1", "application/octet-stream"),
        ({"data": "x", "headers": {"content-type": "text/x"}}, b"x", "text/x"),
        ({}, b"", None),
    ]
    for options, body, content_type in sent:
        await http.post(server.url, **options)
        assert server.line() == "POST / HTTP/1.1"
        assert server.bodies[-1] == body
        assert server.headers().get("content-type") in {content_type, "application/x-www-form-urlencoded"}
        assert content_type is None or server.headers()["content-type"] == content_type
    with pytest.raises(ValueError, match="not both"):
        await http.post(server.url, data="x", json={})


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_any_method(server, http, method):
    """Small letters do, too."""
    response = await http.request(method.lower(), f"{server.url}/page")
    assert server.line() == f"{method} /page HTTP/1.1"
    assert len(response.content) == (0 if method == "HEAD" else 20_000)


async def test_redirects_are_followed_up_to_a_bound(server, http):
    """The last response counts: its URL, headers and body; 0 returns the redirect itself."""
    response = await http.get(f"{server.url}/redirect")
    assert (response.url, response.content) == (f"{server.url}/end", b"hello")
    assert "location" not in response.headers
    assert http.cookies == {"hop": "1"}
    response = await http.get(f"{server.url}/redirect", max_redirects=0)
    assert (response.status_code, response.headers["location"]) == (302, "/end")
    with pytest.raises(FetchError) as raised:
        await http.get(f"{server.url}/loop", max_redirects=3)
    assert raised.value.kind == "redirect"
    with pytest.raises(FetchError):
        await http.get(f"{server.url}/to-file")


async def test_compressed_bodies_are_unpacked(server, http):
    """And measured unpacked: a small download can't fill the memory."""
    assert (await http.get(f"{server.url}/gzip")).content == b"z" * 100_000
    with pytest.raises(FetchError, match="larger than max_bytes=50000") as raised:
        await http.get(f"{server.url}/gzip", max_bytes=50_000)
    assert raised.value.kind == "too_large"
    with pytest.raises(FetchError, match="larger than max_bytes=19999"):
        await http.get(f"{server.url}/page", max_bytes=19_999)
    assert len((await http.get(f"{server.url}/page", max_bytes=20_000)).content) == 20_000


async def test_a_browser_is_imitated_unless_told_otherwise(server, http):
    """Chrome by default; a plain client says who it is; a script's own header wins."""
    await http.get(server.url)
    assert "Chrome/" in server.headers()["user-agent"]
    await http.get(server.url, impersonate="firefox")
    assert "Firefox/" in server.headers()["user-agent"]
    await http.get(server.url, impersonate=None)
    assert server.headers()["user-agent"] == "quarry"
    await http.get(server.url, headers={"User-Agent": "mine", "X-Empty": ""})
    assert server.headers()["user-agent"] == "mine"
    assert server.headers()["x-empty:"] == ""
    with pytest.raises(FetchError, match="'netscape' is not known"):
        await http.get(server.url, impersonate="netscape")


async def test_cookies_belong_to_one_run(server, transport):
    """They come back within a run, by path; a neighbour on the same connections has none; deleting works."""
    one, other = client(transport), client(transport)
    await one.get(f"{server.url}/set")
    assert one.cookies == {"a": "1", "b": "2"}
    await one.get(server.url)
    assert server.headers()["cookie"] == "a=1"
    await one.get(f"{server.url}/deep/x")
    assert sorted(server.headers()["cookie"].split("; ")) == ["a=1", "b=2"]
    await other.get(server.url)
    assert "cookie" not in server.headers()
    assert other.cookies == {}
    await one.get(f"{server.url}/delete")
    assert one.cookies == {"b": "2"}
    other.set_cookie("c", "3", domain="127.0.0.1")
    await other.get(server.url)
    assert server.headers()["cookie"] == "c=3"
    assert server.connections == 1


async def test_parallel_requests_of_a_run_keep_all_cookies(server, http):
    """Answers that cross add up."""
    await asyncio.gather(http.get(f"{server.url}/set"), http.get(f"{server.url}/redirect"))
    assert http.cookies == {"a": "1", "b": "2", "hop": "1"}


async def test_64_runs_fetch_at_once(server, transport):
    """Each by its own client; connections are shared and kept."""
    for _ in range(3):
        pages = await asyncio.gather(*(client(transport).get(f"{server.url}/page") for _ in range(64)))
        assert all(len(page.content) == 20_000 for page in pages)
    assert server.connections <= 64


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_connection_errors_are_tried_again(server, http, method):
    """Twice by default; the third failure is told, with the number of tries."""
    server.failures["/flaky"] = 2
    assert (await http.request(method, f"{server.url}/flaky")).content == b"hello"
    server.failures["/flaky"] = 100  # libcurl itself resends once where a kept connection was dead
    with pytest.raises(FetchError, match=r"/flaky failed \(3 tries\)") as raised:
        await http.request(method, f"{server.url}/flaky")
    assert (raised.value.kind, raised.value.tries, raised.value.retryable) == ("broken", 3, True)
    with pytest.raises(FetchError):
        await http.request(method, f"{server.url}/flaky", retries=0)


async def test_what_may_have_had_an_effect_is_not_sent_twice(server, http):
    """A POST is tried once."""
    server.failures["/flaky"] = 1
    with pytest.raises(FetchError, match=r"POST .*/flaky failed: "):
        await http.post(f"{server.url}/flaky")
    assert len(server.heads) == 1


async def test_errors_say_where_it_failed(server, http):
    """Kind, method and URL without user info; never a traceback of the library."""
    cases = {
        f"http://user:secret@127.0.0.1:{closed_port()}/x": "connect",
        "http://nowhere.invalid/": "resolve",
        f"{server.url}/half": "broken",
        "ftp://host/": "url",
        "file:///etc/passwd": "url",
        "//host/path": "url",
        "": "url",
        "http://[::1": "url",
    }
    for url, kind in cases.items():
        with pytest.raises(FetchError) as raised:
            await http.get(url, retries=0)
        assert raised.value.kind == kind, url
        assert "secret" not in str(raised.value)
        assert "curl_cffi" not in str(raised.value)
        assert pickle.loads(pickle.dumps(raised.value)).kind == kind


async def test_a_timeout_ends_the_request_and_is_not_repeated(server, http):
    """In about the time stated."""
    with pytest.raises(FetchError, match="/slow failed: ") as raised:
        await http.get(f"{server.url}/slow", timeout_s=0.2)
    assert (raised.value.kind, raised.value.tries) == ("timeout", 1)


async def test_a_time_limit_below_a_millisecond_is_a_limit(server, http):
    """It is rounded up to one; for the library below, nothing would mean no limit."""
    async with asyncio.timeout(20):
        with pytest.raises(FetchError) as raised:
            await http.get(f"{server.url}/slow", timeout_s=0.0004, retries=0)
    assert raised.value.kind == "timeout"


@pytest.mark.parametrize("timeout_s", [0, -1, -0.0001, float("nan"), float("inf")])
async def test_a_time_limit_that_is_none_is_refused(server, http, timeout_s):
    """Nothing is sent; the message says what may stand there."""
    with pytest.raises(ValueError, match=rf"timeout_s is {timeout_s}; .*above 0"):
        await http.get(server.url, timeout_s=timeout_s)
    assert not server.heads


async def test_a_cancelled_request_frees_its_connection(server, http):
    """The next one works."""
    task = asyncio.create_task(http.get(f"{server.url}/slow"))
    while not server.heads:
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await http.get(server.url)).content == b"hello"


async def test_the_environment_names_no_proxy(server, http, monkeypatch):
    """Neither a proxy nor an exception from one."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    assert (await http.get(server.url)).content == b"hello"
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    dead = endpoint_of({"protocol": "http", "host": "127.0.0.1", "port": closed_port()})
    proxied = Http(http._transport, proxy=dead)
    with pytest.raises(FetchError) as raised:
        await proxied.get(server.url, retries=0)
    assert raised.value.kind == "proxy"


async def test_the_runs_proxy_is_used_and_its_password_kept(server, transport):
    """A request through a proxy carries the whole URL and the credentials; errors carry neither."""
    credentials = {"username": "u", "password": "pa:ss@"}
    address = endpoint_of({"protocol": "http", "host": "127.0.0.1", "port": server.port, **credentials})
    http = client(transport, proxy=address)
    assert (await http.get("http://elsewhere.test/page")).status_code == 200
    assert server.line() == "GET http://elsewhere.test/page HTTP/1.1"
    assert server.headers()["proxy-authorization"] == "Basic dTpwYTpzc0A="
    assert "pa:ss@" not in repr(address)
    http.use_proxy(None)
    await http.get(f"{server.url}/page")
    assert server.line() == "GET /page HTTP/1.1"
    assert "proxy-authorization" not in server.headers()
    dead = endpoint_of({"protocol": "socks5", "host": "::1", "port": closed_port(), **credentials})
    with pytest.raises(FetchError) as raised:
        await client(transport, proxy=dead).get("http://elsewhere.test/", retries=0)
    assert "pa:ss@" not in str(raised.value)


async def test_nothing_is_fetched_after_the_end(server):
    """A closed transport refuses, and closing twice is harmless."""
    made = CurlTransport()
    http = client(made)
    await http.get(server.url)
    await made.close()
    await made.close()
    with pytest.raises(FetchError, match="closed"):
        await http.get(server.url)
