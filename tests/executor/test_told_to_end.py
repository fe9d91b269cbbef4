"""Runs that are told to end while a proxy hangs, or while it is asked whether it does."""

from __future__ import annotations

import pytest

from quarry.ipc import Cancel
from tests.executor.support import Serving, run_single, write_script
from tests.local_site import Answer
from tests.proxies.servers import Microsocks, Tinyproxy

STUCK = """
import asyncio
async def run(ctx):
    getting = asyncio.create_task(ctx.http.get(ctx.job["url"]))
    await asyncio.sleep(ctx.job["waited_s"])
    await ctx.emit.item("waited", {})
    await getting
"""

ASKED = """
from quarry import FetchError
async def run(ctx):
    try:
        await ctx.http.get(ctx.job["url"], timeout_s=2)
    except FetchError as error:
        await ctx.emit.item("error", {"kind": error.kind})
"""


@pytest.fixture
def site(serve_site):
    return serve_site(answers={"/": Answer(b"<title>here</title>")})


@pytest.fixture(params=[Tinyproxy, Microsocks])
def proxy(request, tmp_path):
    with request.param(tmp_path / "proxy") as proxy:
        yield proxy


def figures(frame):
    """Port, ok, failed and unheard of each entry of proxy_use."""
    return [(entry["port"], entry["ok"], entry["failed"], entry["unheard"]) for entry in frame.proxy_use]


@pytest.mark.clause("PROXY-18")
@pytest.mark.clause("IPC-15")
async def test_a_request_that_waited_in_silence(tmp_path, site, proxy):
    """There is no time to ask whose fault that was: it is told as a doubt, and no failure."""
    proxy.pause()
    script = write_script(tmp_path, STUCK)
    async with Serving() as executor:
        executor.start("run", script, job={"url": site.url, "waited_s": 2.5}, proxy=proxy.wire())
        await executor.until(lambda: executor.items("run"), "the wait")
        executor.send(Cancel(run_id="run"))
        outcome = await executor.ended("run")
        assert outcome["error_type"] == "cancelled"
        assert figures(executor.result("run")) == [(proxy.port, 0, 0, 1)]


@pytest.mark.clause("PROXY-18")
async def test_a_request_that_is_left_behind(tmp_path, site, proxy):
    """The run ends by itself, so there is time: the proxy is asked, and does not answer."""
    proxy.pause()
    script = write_script(tmp_path, STUCK.replace("    await getting\n", ""))
    fields = {"run_id": "run", "attempt": 1, "job": {"url": site.url, "waited_s": 2.5}, "proxy": proxy.wire()}
    result = await run_single(script, request=fields)
    assert (result.code, figures(result.frames[-1])) == (0, [(proxy.port, 0, 1, 0)])


@pytest.mark.clause("PROXY-18")
@pytest.mark.clause("RUN-05")
async def test_a_single_run_that_is_told_to_end_while_the_proxy_is_asked(tmp_path, site, proxy):
    """Its script had completed, and so has the run; the question is given up, and nothing breaks."""
    proxy.pause()
    fields = {"run_id": "run", "attempt": 1, "job": {"url": site.url}, "proxy": proxy.wire()}
    result = await run_single(
        write_script(tmp_path, ASKED),
        request=fields,
        # The second connection is the question.
        end_when=lambda events: "run_complete" in [e.type for e in events] and proxy.connections() > 1,
    )
    assert (result.code, result.outcome["status"]) == (0, "completed"), result.stderr
    assert result.items() == [{"kind": "timeout"}]
    assert figures(result.frames[-1]) == [(proxy.port, 0, 0, 1)]
    assert result.stderr == ""
