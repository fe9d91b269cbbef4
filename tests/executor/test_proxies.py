"""Runs with a proxy, in both modes: what they use, what they say of it, and how they change it."""

from __future__ import annotations

import json

import pytest

from quarry.ipc import Cancel, ProxyFrame
from tests.executor.support import Serving, run_single, write_script
from tests.local_site import Answer
from tests.proxies.servers import Microsocks, Tinyproxy
from tests.workers.kit import free_port

GET = """
async def run(ctx):
    for _ in range(ctx.job.get("times", 1)):
        page = await ctx.http.get(ctx.job["url"])
        await ctx.emit.item("page", {"status": page.status_code, "port": ctx.http.proxy.port})
        await ctx.emit.rotate_proxy(ctx.job.get("reason"))
    page = await ctx.http.get(ctx.job["url"])
    await ctx.emit.item("page", {"status": page.status_code, "port": ctx.http.proxy.port})
"""


@pytest.fixture
def site(serve_site):
    return serve_site(answers={"/": Answer(b"<title>here</title>")})


@pytest.fixture
def proxies(tmp_path):
    with (
        Tinyproxy(tmp_path / "one") as one,
        Tinyproxy(tmp_path / "two") as two,
        Microsocks(tmp_path / "socks") as socks,
    ):
        yield one, two, socks


def request(proxy, **job):
    return (json.dumps({"run_id": "run", "attempt": 1, "job": job, "proxy": proxy}) + "\n").encode()


def figures(result):
    """Port, ok and failed of each entry of proxy_use."""
    return [(entry["port"], entry["ok"], entry["failed"]) for entry in result.proxy_use]


@pytest.mark.clause("PROXY-15")
@pytest.mark.clause("PROXY-16")
@pytest.mark.clause("IPC-15")
async def test_rotation_in_a_single_run(tmp_path, site, proxies):
    """The verb returns when the next proxy is in use; no further proxy leaves the one in use; the result counts."""
    one, two, socks = proxies
    answers = iter([two.wire(), None, socks.wire(), one.wire()])
    fields = {"run_id": "run", "attempt": 1, "job": {"url": site.url, "times": 4}, "proxy": one.wire()}
    result = await run_single(write_script(tmp_path, GET), request=fields, rotate=lambda: next(answers))
    assert result.code == 0, result.outcome
    ports = [item["port"] for item in result.items()]
    assert ports == [one.port, two.port, two.port, socks.port, one.port]
    assert (len(one.carried()), len(two.carried()), len(socks.carried())) == (2, 2, 1)
    assert result.types.count("rotate_proxy") == 4
    frame = result.frames[-1]
    assert figures(frame) == [(one.port, 2, 0), (two.port, 2, 0), (socks.port, 1, 0)]
    assert frame.proxy_used == {"protocol": "http", "host": "127.0.0.1", "port": one.port, "username": "user"}
    assert all(entry["latency_ms"] >= 0 for entry in frame.proxy_use)
    assert one.password not in repr(result.frames) + result.stderr


@pytest.mark.clause("PROXY-16")
@pytest.mark.clause("IPC-16")
async def test_rotations_at_once_while_serving(tmp_path, proxies):
    """Answers are taken in order, also where one waiter has gone; neighbours are left alone."""
    one, two, socks = proxies
    source = """
import asyncio
async def rotate(ctx, name):
    await ctx.emit.rotate_proxy(name)
    await ctx.emit.item("rotated", {"name": name, "port": ctx.http.proxy.port})
async def run(ctx):
    await ctx.emit.item("begun", {"port": ctx.http.proxy.port})
    tasks = [asyncio.create_task(rotate(ctx, name)) for name in ("a", "b", "c")]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
"""
    script = write_script(tmp_path, source)
    async with Serving() as executor:
        executor.start("run", script, proxy=one.wire())
        executor.start("other", script, proxy=one.wire())
        for run_id in ("run", "other"):
            await executor.until(
                lambda run_id=run_id: [e.type for e in executor.events(run_id)].count("rotate_proxy") == 3,
                "three events",
            )
        for proxy in (two.wire(), socks.wire(), None):
            executor.send(ProxyFrame(run_id="run", proxy=proxy))
        await executor.ended("run")
        rotated = executor.items("run")[1:]
        assert [item["name"] for item in rotated] == ["a", "c"]
        assert rotated[1]["port"] == socks.port
        assert executor.result("other") is None
        for _ in range(3):
            executor.send(ProxyFrame(run_id="other"))
        await executor.ended("other")
        assert [entry["port"] for entry in executor.result("run").proxy_use] == [p.port for p in proxies]
        assert figures(executor.result("other")) == [(one.port, 0, 0)]


@pytest.mark.clause("PROXY-16")
async def test_a_run_without_proxy_rotates_nothing(tmp_path, site):
    """The event is emitted and the run goes on, with nobody there to answer."""
    source = """
async def run(ctx):
    await ctx.emit.rotate_proxy("banned")
    await ctx.emit.item("proxy", {"proxy": ctx.http.proxy})
"""
    result = await run_single(write_script(tmp_path, source))
    assert result.types == ["rotate_proxy", "item", "run_complete"]
    assert result.items() == [{"proxy": None}]
    assert result.frames[-1].proxy_use is None


@pytest.mark.clause("PROXY-16")
async def test_answers_that_are_no_use(tmp_path, proxies):
    """A wrong one, and none because stdin has ended: an error of the script, and the proxy stays."""
    one, two, _ = proxies
    source = """
from quarry import ProxyRotationError
async def run(ctx):
    for _ in range(2):
        try:
            await ctx.emit.rotate_proxy()
        except ProxyRotationError as error:
            await ctx.emit.item("error", {"text": str(error), "port": ctx.http.proxy.port})
"""
    script = write_script(tmp_path, source)
    answers = iter([two.wire(port=0), two.wire()])
    fields = {"run_id": "run", "attempt": 1, "job": {}, "proxy": one.wire()}
    result = await run_single(script, request=fields, rotate=lambda: next(answers))
    assert [(item["port"], "proxy.port must be" in item["text"]) for item in result.items()] == [
        (one.port, True)
    ]
    assert result.frames[-1].proxy_used["port"] == two.port
    result = await run_single(script, request=request(one.wire()))
    assert [("closed stdin" in item["text"], item["port"]) for item in result.items()] == [
        (True, one.port)
    ] * 2
    source = "async def run(ctx):\n    await ctx.emit.rotate_proxy()\n"
    result = await run_single(write_script(tmp_path, source, "plain.py"), request=request(one.wire()))
    assert (result.code, result.outcome["error_type"]) == (1, "ProxyRotationError")


@pytest.mark.clause("PROXY-18")
async def test_a_dead_proxy_is_told(tmp_path, site, proxies):
    """The script sees kind proxy, the result who failed; without any password."""
    one, _, _ = proxies
    source = """
from quarry import FetchError
async def run(ctx):
    try:
        await ctx.http.get(ctx.job["url"], retries=0)
    except FetchError as error:
        await ctx.emit.item("error", {"kind": error.kind, "text": str(error)})
        raise
"""
    script = write_script(tmp_path, source)
    for wire in (one.wire(port=free_port()), one.wire(password="wrong.pass-word")):
        fields = {"run_id": "run", "attempt": 1, "job": {"url": site.url}, "proxy": wire}
        result = await run_single(script, request=fields)
        assert [item["kind"] for item in result.items()] == ["proxy"]
        assert figures(result.frames[-1]) == [(wire["port"], 0, 1)]
        said = repr(result.frames) + result.stderr
        assert wire["password"] not in said
        assert f"http://user@127.0.0.1:{wire['port']}" in said


HANG = """
from quarry import FetchError
async def run(ctx):
    try:
        await ctx.http.get(ctx.job["url"], timeout_s=ctx.job["timeout_s"])
    except FetchError as error:
        await ctx.emit.item("error", {"kind": error.kind})
"""


@pytest.mark.clause("PROXY-18")
async def test_a_proxy_that_hangs_is_told(tmp_path, site, proxies):
    """The script gets its timeout; at the end of the run the proxy is asked, and does not answer."""
    script = write_script(tmp_path, HANG)
    for proxy in (proxies[0], proxies[2]):
        proxy.pause()
        job = {"url": site.url, "timeout_s": 1}
        result = await run_single(
            script, request={"run_id": "run", "attempt": 1, "job": job, "proxy": proxy.wire()}
        )
        assert result.code == 0, result.stderr
        assert result.items() == [{"kind": "timeout"}]
        assert figures(result.frames[-1]) == [(proxy.port, 0, 1)]


@pytest.mark.clause("PROXY-18")
async def test_nobody_is_asked_for_a_run_that_is_told_to_end(tmp_path, site, proxies):
    """Its end is not held up: the question is given up, and the doubt is told as one."""
    one, _, _ = proxies
    one.pause()
    script = write_script(tmp_path, HANG)
    async with Serving() as executor:
        executor.start("run", script, job={"url": site.url, "timeout_s": 1}, proxy=one.wire())
        await executor.until(
            lambda: "run_complete" in [event.type for event in executor.events("run")], "the script's end"
        )
        executor.send(Cancel(run_id="run"))
        await executor.ended("run")
        result = executor.result("run")
    assert result.outcome["status"] == "completed"
    assert figures(result) == [(one.port, 0, 0)]
    assert result.proxy_use[0]["unheard"] == 1
