"""Pages in a real Chromium."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from quarry.executor.chromium import BrowserError, browser_environ, find_browser, needs_no_sandbox
from quarry.sdk.process_tree import descendants
from tests.executor.support import Serving, run_single, write_script
from tests.local_site import Answer


@pytest.fixture
def chromium(require_service):
    """The browser's path; skips or fails where there is none."""
    return require_service("browser")


@pytest.fixture
def site(serve_site):
    """A page whose title is set by a script, and one that shows its cookies."""
    return serve_site(
        answers={
            "/": Answer(b"<body><script>document.title = 'made by ' + 'script'</script></body>"),
            "/cookie": Answer(
                b"<body><script>document.title = document.cookie || 'none';"
                b"document.cookie = 'a=1'</script></body>"
            ),
        }
    )


async def gone(pids):
    """Wait until processes have ended."""
    async with asyncio.timeout(15):
        while any(alive(pid) for pid in pids):
            await asyncio.sleep(0.02)


def cmdline(pid):
    """Arguments of a process, NUL between them; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def alive(pid):
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_driver(pid):
    """Whether a process is Playwright's driver."""
    return b"node" in cmdline(pid).split(b"\0")[0]


async def test_a_page_in_a_single_run(tmp_path, chromium, site):
    """ctx.page() is a real page; memory shows the browser; nothing is left afterwards."""
    source = """
async def run(ctx):
    page = await ctx.page()
    await page.goto(ctx.job["url"])
    browser = await ctx.browser()
    context = await ctx.browser_context()
    await ctx.emit.item("page", {
        "title": await page.title(),
        "same": page.context is context and context.browser is browser,
        "browser": ctx.memory.snapshot().browser,
    })
"""
    result = await run_single(write_script(tmp_path, source), job={"url": site.url})
    assert (result.code, result.outcome["message"]) == (0, "")
    assert result.items()[0]["title"] == "made by script"
    assert result.items()[0]["same"] is True
    assert result.items()[0]["browser"] > 20 * 1024 * 1024


PAGES = """
async def run(ctx):
    page = await ctx.page()
    await page.goto(ctx.job["url"] + "cookie")
    browser = await ctx.browser()
    await ctx.emit.item("page", {"title": await page.title(), "contexts": len(browser.contexts)})
    if ctx.job.get("last"):
        return
    again = await ctx.page()
    await again.goto(ctx.job["url"] + "cookie")
    await ctx.emit.item("again", {"title": await again.title()})
"""


async def test_runs_share_a_browser_and_nothing_else(tmp_path, chromium, site):
    """One browser for all runs, a context for each: cookies stay in their run, contexts close with it."""
    script = write_script(tmp_path, PAGES)
    async with Serving() as executor:
        runs = [f"r{number}" for number in range(4)]
        for run_id in runs:
            executor.start(run_id, script, job={"url": site.url})
        await executor.ended(*runs)
        for run_id in runs:
            first, again = executor.items(run_id)
            assert (first["title"], again["title"]) == ("none", "a=1")
        executor.start("last", script, job={"url": site.url, "last": True})
        await executor.ended("last")
        assert executor.items("last") == [{"title": "none", "contexts": 1}]
        pids = descendants("/proc", executor.process.pid)
        lines = [cmdline(pid) for pid in pids]
        profiles = {part for line in lines for part in line.split(b"\0") if b"--user-data-dir" in part}
        assert len(profiles) == 1  # of one browser, however many processes it is
    await gone(pids)


async def test_a_browser_that_died_is_replaced(tmp_path, chromium, site):
    """The run that used it fails, the next has a fresh one."""
    script = write_script(tmp_path, PAGES)
    async with Serving() as executor:
        executor.start("before", script, job={"url": site.url})
        assert (await executor.ended("before"))["status"] == "completed"
        for what in ("headless", "node"):
            victims = [
                pid for pid in descendants("/proc", executor.process.pid) if what.encode() in cmdline(pid)
            ]
            assert victims
            for pid in victims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await gone(victims)
            executor.start(f"after-{what}", script, job={"url": site.url})
            assert (await executor.ended(f"after-{what}"))["status"] == "completed"


async def test_a_killed_executor_leaves_no_browser(tmp_path, chromium, site):
    """kill -9 of the executor's group: the browser, which has a group of its own, ends with it."""
    source = """
import asyncio
async def run(ctx):
    await (await ctx.page()).goto(ctx.job["url"])
    await ctx.emit.item("up", {})
    await asyncio.Event().wait()
"""
    async with Serving() as executor:
        executor.start("run", write_script(tmp_path, source), job={"url": site.url})
        await executor.until(lambda: executor.events("run"))
        pids = descendants("/proc", executor.process.pid)
        assert len(pids) > 2
        os.killpg(executor.process.pid, signal.SIGKILL)
        await gone(pids)


async def test_a_cancelled_run_closes_its_context_and_spares_its_neighbours(tmp_path, chromium, site):
    """Also while it waits in a navigation that never answers."""
    connections = []
    hang = await asyncio.start_server(lambda *pair: connections.append(pair), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{hang.sockets[0].getsockname()[1]}/"
    source = "async def run(ctx):\n    page = await ctx.page()\n    await ctx.emit.item('up', {})\n    await page.goto(ctx.job['url'])\n"
    script = write_script(tmp_path, source)
    pages = write_script(tmp_path, PAGES, "pages.py")
    async with Serving() as executor:
        executor.start("hanging", script, job={"url": url})
        await executor.until(lambda: executor.events("hanging"))
        executor.cancel("hanging")
        assert (await executor.ended("hanging"))["error_type"] == "cancelled"
        executor.start("next", pages, job={"url": site.url, "last": True})
        await executor.ended("next")
        assert executor.items("next") == [{"title": "none", "contexts": 1}]
    hang.close()
    for _, writer in connections:
        writer.close()


CLOSING = """
import asyncio
async def run(ctx):
    await ctx.page()
    await ctx.emit.item("up", {})
    await asyncio.Event().wait()
async def cleanup(ctx):
    print("busy")
"""
ENDING = """
import asyncio
from pathlib import Path
async def run(ctx):
    await ctx.page()
    await ctx.emit.item("up", {})
    while not Path(ctx.job).exists():
        await asyncio.sleep(0.005)
async def cleanup(ctx):
    print("busy")
"""
MAKING = """
import asyncio
from pathlib import Path
async def run(ctx):
    await ctx.browser()
    await ctx.emit.item("up", {})
    while not Path(ctx.job).exists():
        await asyncio.sleep(0.005)
    print("busy")
    await ctx.page()
"""
COUNTING = """
async def run(ctx):
    await ctx.page()
    browser = await ctx.browser()
    session = await browser.new_browser_cdp_session()
    known = (await session.send("Target.getBrowserContexts"))["browserContextIds"]
    await ctx.emit.item("contexts", {"playwright": len(browser.contexts), "chromium": len(known)})
"""


@pytest.mark.parametrize(
    ("source", "cancelled_before", "end"),
    [(CLOSING, True, "cancelled"), (ENDING, False, None), (MAKING, False, "cancelled")],
    ids=["closing", "ending", "making"],
)
async def test_a_run_cancelled_while_its_browser_is_busy_leaves_no_context(
    tmp_path, chromium, source, cancelled_before, end
):
    """The browser stands still: the context that is being closed, or made, is closed once it goes on."""
    stopped = tmp_path / "stopped"
    probe = write_script(tmp_path, "async def run(ctx):\n    pass\n", "probe.py")
    async with Serving() as executor:
        executor.start("run", write_script(tmp_path, source), job=str(stopped))
        await executor.until(lambda: executor.events("run"))
        (driver,) = [pid for pid in descendants("/proc", executor.process.pid) if is_driver(pid)]
        os.kill(driver, signal.SIGSTOP)
        try:
            stopped.touch()
            if cancelled_before:
                executor.cancel("run")
            await executor.until(lambda: "busy" in executor.printed("run"))
            executor.cancel("run")
            executor.start("probe", probe)
            await executor.ended("probe")  # the executor has seen the cancel
        finally:
            os.kill(driver, signal.SIGCONT)
        assert (await executor.ended("run")).get("error_type") == end
        executor.start("next", write_script(tmp_path, COUNTING, "counting.py"))
        await executor.ended("next")
        assert executor.items("next") == [{"playwright": 1, "chromium": 1}]
    assert "RuntimeError" not in executor.log


async def test_without_a_browser_the_error_says_what_to_install(tmp_path):
    """And a script that asks for none is not disturbed."""
    script = write_script(tmp_path, "async def run(ctx):\n    await ctx.page()\n")
    result = await run_single(script, env={"QUARRY_BROWSER_PATH": "/nowhere/chromium"})
    assert result.code == 1
    assert result.events[-1].payload["error_type"] == "BrowserError"
    assert "/nowhere/chromium" in result.events[-1].payload["message"]


def test_the_search_for_a_browser(tmp_path, monkeypatch):
    """QUARRY_BROWSER_PATH, then PATH with the headless shell first; else a sentence that helps."""
    monkeypatch.setattr("quarry.executor.chromium._FOLDERS", ())
    with pytest.raises(BrowserError, match="apt-get install chromium-headless-shell"):
        find_browser({"PATH": str(tmp_path)})
    for name in ("chromium", "chromium-headless-shell"):
        (tmp_path / name).touch(0o755)
        assert find_browser({"PATH": str(tmp_path)}) == str(tmp_path / name)
    assert find_browser({"QUARRY_BROWSER_PATH": "/bin/sh", "PATH": str(tmp_path)}) == "/bin/sh"


def test_the_sandbox_is_kept_where_it_can_be():
    """Left out for root and where it was asked for."""
    assert needs_no_sandbox({}, uid=0)
    assert needs_no_sandbox({"QUARRY_NO_SANDBOX": "1"}, uid=1000)
    assert not needs_no_sandbox({"QUARRY_NO_SANDBOX": "0"}, uid=1000)


def test_the_browser_does_not_see_proxies_of_the_environment():
    """A run's proxy is the runtime's decision."""
    environ = {"HTTP_PROXY": "http://x", "https_proxy": "http://x", "no_proxy": "*", "HOME": "/root"}
    assert browser_environ(environ) == {"HOME": "/root"}


async def test_a_run_may_use_a_browser_that_runs_elsewhere(tmp_path, chromium, site):
    """Named by the request or by the environment; it is left running."""
    profile = tmp_path / "profile"
    process = await asyncio.create_subprocess_exec(
        *(chromium, "--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"),
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(20):
            while b"DevTools listening on " not in (line := await process.stderr.readline()):
                assert line
        endpoint = line.decode().rpartition(" ")[2].strip()
        script = write_script(tmp_path, PAGES)
        job = {"url": site.url, "last": True}
        named = {"run_id": "r", "attempt": 1, "job": job, "browser_ws_endpoint": endpoint}
        for arguments in ({"request": named}, {"job": job, "env": {"QUARRY_BROWSER_ENDPOINT": endpoint}}):
            result = await run_single(script, **arguments)
            assert (result.code, result.outcome["message"]) == (0, "")
            assert result.items()[0]["title"] == "none"
        assert process.returncode is None
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()
