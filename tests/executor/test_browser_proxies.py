"""Pages through real proxies."""

from __future__ import annotations

import socket

import pytest

from tests.executor.support import run_single, write_script
from tests.local_site import Answer
from tests.proxies.servers import Microsocks, Tinyproxy, TlsFront, make_certificate
from tests.workers.kit import free_port

pytestmark = pytest.mark.usefixtures("chromium")


@pytest.fixture
def chromium(require_service):
    return require_service("browser")


@pytest.fixture
def site(serve_site):
    return serve_site(
        answers={
            "/": Answer(b"<title>one</title><img src=/image>"),
            "/image": Answer(b"", "image/png"),
            "/401": Answer(b"<title>no</title>", status=401),
        }
    )


@pytest.fixture
def one(tmp_path):
    with Tinyproxy(tmp_path / "one") as proxy:
        yield proxy


async def browse(tmp_path, source, proxy, job, rotate=None):
    fields = {"run_id": "run", "attempt": 1, "job": job, "proxy": proxy}
    return await run_single(write_script(tmp_path, source), request=fields, rotate=rotate)


def figures(result):
    return [(entry["port"], entry["ok"], entry["failed"]) for entry in result.frames[-1].proxy_use]


ROTATE = """
async def run(ctx):
    url = ctx.job["url"]
    first = await ctx.page()
    await first.goto(url)
    await ctx.emit.rotate_proxy("banned")
    second = await ctx.page()
    await second.goto(url)
    await first.goto(url)
    same = await ctx.browser_context() is second.context
    browser = await ctx.browser()
    await ctx.emit.item("page", {
        "titles": [await first.title(), await second.title()],
        "same": same,
        "contexts": len(browser.contexts),
    })
    try:
        await (await browser.new_page()).goto(url)
    except Exception as error:
        await ctx.emit.item("own", {"text": str(error)})
"""


@pytest.mark.clause("PROXY-15")
@pytest.mark.clause("PROXY-16")
async def test_pages_go_through_the_proxy_that_the_run_has_then(tmp_path, site, one):
    """With its credentials; after a rotation new pages go through the other, open ones stay; nothing goes without."""
    with Tinyproxy(tmp_path / "two") as two:
        result = await browse(tmp_path, ROTATE, one.wire(), {"url": site.url}, rotate=two.wire)
    assert result.code == 0, result.outcome
    page, own = result.items()
    assert page == {"titles": ["one", "one"], "same": True, "contexts": 2}
    assert "ERR_PROXY_CONNECTION_FAILED" in own["text"]
    # Chromium sends credentials once it was asked for them: the first request of a context comes twice.
    assert [path for _, path in one.requests()].count(site.url) == 3
    assert [path for _, path in two.requests()].count(site.url) == 2
    assert len(one.carried()) + len(two.carried()) == len(site.requests)  # and none came from elsewhere
    (port_one, ok_one, failed_one), (port_two, ok_two, failed_two) = figures(result)
    assert (port_one, port_two, failed_one, failed_two) == (one.port, two.port, 0, 0)
    assert ok_one >= 2
    assert ok_two >= 1
    assert one.password not in repr(result.frames) + result.stderr


FAIL = """
async def run(ctx):
    for url in ctx.job["urls"]:
        page = await ctx.page()
        try:
            answer = await page.goto(url)
            await ctx.emit.item("page", {"status": answer.status})
        except Exception as error:
            await ctx.emit.item("page", {"error": str(error).splitlines()[0]})
"""


@pytest.mark.clause("PROXY-18")
async def test_failures_of_the_proxy_in_pages(tmp_path, site, one):
    """Nobody there; wrong credentials over plain HTTP, where tinyproxy says 401, and over https."""
    certificate = make_certificate(tmp_path / "certificate")
    with TlsFront(certificate, int(site.url.rpartition(":")[2].strip("/"))) as tls:
        urls = [site.url, f"https://127.0.0.1:{tls.port}/"]
        dead = await browse(tmp_path, FAIL, one.wire(port=free_port()), {"urls": urls})
        wrong = one.wire(password="wrong.pass-word")
        refused = [await browse(tmp_path, FAIL, wrong, {"urls": [url]}) for url in urls]
    assert [item["error"].count("ERR_PROXY_CONNECTION_FAILED") for item in dead.items()] == [1, 1]
    [(_, ok, failed)] = figures(dead)
    assert ok == 0
    assert failed >= 2
    for result in refused:
        [(_, ok, failed)] = figures(result)
        assert ok == 0, result.items()
        assert failed >= 1, result.items()
        assert "wrong.pass-word" not in repr(result.frames) + result.stderr
    assert site.requests == []


@pytest.mark.clause("PROXY-18")
async def test_failures_of_the_target_in_pages(tmp_path, site, one):
    """A 401 of its own, and a host that can't be reached, are no failure of the proxy: it is asked about both."""
    urls = [f"{site.url}401", f"https://127.0.0.1:{free_port()}/", f"http://127.0.0.1:{free_port()}/"]
    result = await browse(tmp_path, FAIL, one.wire(), {"urls": urls})
    assert [item.get("status") for item in result.items()] == [401, None, 500]
    assert "ERR_TUNNEL_CONNECTION_FAILED" in result.items()[1]["error"]
    [(_, ok, failed)] = figures(result)
    assert ok >= 2
    assert failed == 0


@pytest.mark.clause("PROXY-18")
async def test_socks_in_pages(tmp_path, site):
    """Without credentials; a target that it can't reach is the target's failure."""
    with Microsocks(tmp_path / "socks", username=None, password=None) as socks:
        urls = [site.url, f"http://127.0.0.1:{free_port()}/"]
        result = await browse(tmp_path, FAIL, socks.wire(), {"urls": urls})
        assert result.items()[0] == {"status": 200}
        [(_, ok, failed)] = figures(result)
        assert ok >= 1
        assert failed == 0
        socks.stop()
        result = await browse(tmp_path, FAIL, socks.wire(), {"urls": [site.url]})
        [(_, ok, failed)] = figures(result)
        assert ok == 0
        assert failed >= 1


@pytest.mark.clause("PROXY-18")
async def test_targets_that_the_proxy_refuses_in_pages(tmp_path):
    """However many they are, its health is left alone."""
    with Tinyproxy(tmp_path / "strict", connect_ports=(1,)) as strict:
        urls = [f"https://127.0.0.1:{port}/" for port in range(20_001, 20_012)]
        result = await browse(tmp_path, FAIL, strict.wire(), {"urls": urls})
        assert strict.refused() >= len(urls)
    assert all("ERR_TUNNEL_CONNECTION_FAILED" in item["error"] for item in result.items())
    assert figures(result) == [(strict.port, 0, 0)]


STUCK = """
import asyncio
async def run(ctx):
    page = await ctx.page()
    async def waited(request):
        await asyncio.sleep(2.5)
        await ctx.emit.item("waited", {})
    page.on("request", waited)
    await page.goto(ctx.job["url"])
"""


@pytest.mark.clause("PROXY-18")
async def test_a_page_that_never_came_in_a_run_that_is_told_to_end(tmp_path, one):
    """There is no time to ask: a doubt."""
    one.pause()
    fields = {
        "run_id": "run",
        "attempt": 1,
        "job": {"url": f"http://127.0.0.1:{free_port()}/"},
        "proxy": one.wire(),
    }
    script = write_script(tmp_path, STUCK)
    result = await run_single(script, request=fields, end_when=bool)
    assert result.outcome["error_type"] == "cancelled", (result.outcome, result.types, result.stderr)
    assert figures(result) == [(one.port, 0, 0)]
    assert result.frames[-1].proxy_use[0]["unheard"] == 1


WAIT = """
async def run(ctx):
    page = await ctx.page()
    try:
        await page.goto(ctx.job["url"], timeout=6_000)
    except Exception as error:
        await ctx.emit.item("page", {"error": str(error).splitlines()[0]})
"""


@pytest.mark.clause("PROXY-18")
@pytest.mark.parametrize("hangs", [True, False], ids=["the proxy hangs", "the target hangs"])
async def test_pages_that_never_come(tmp_path, hangs):
    """Chromium is still waiting when the script gives up; the proxy is asked, and counts where it does not answer."""
    with Tinyproxy(tmp_path / "hanging") as proxy, socket.create_server(("127.0.0.1", 0)) as target:
        if hangs:
            proxy.pause()
        url = f"http://127.0.0.1:{target.getsockname()[1]}/"
        result = await browse(tmp_path, WAIT, proxy.wire(), {"url": url})
    [item] = result.items()
    assert "Timeout 6000ms exceeded" in item["error"]
    [(_, ok, failed)] = figures(result)
    assert (ok, failed) == (0, 1 if hangs else 0)
