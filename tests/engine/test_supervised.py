from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from engine_kit import Bench

from quarry.engine import EmbeddedWorker, PrivateServer, Restart, Supervised
from quarry.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def bench(server: PrivateServer, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, server.url)
    yield made
    made.close()


@pytest.fixture
def worker(bench: Bench) -> Iterator[EmbeddedWorker]:
    made = bench.worker(concurrency=256)
    made.start()
    yield made
    made.kill()


async def _until(condition: Callable[[], Any], what: str, timeout_s: float = 30) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


async def _watched(supervised: Supervised, steps: Callable[[], Any]) -> None:
    """Run steps while the engine is watched; what ends the watching ends the steps."""
    watching = asyncio.create_task(supervised.run())
    acting = asyncio.create_task(steps())
    await asyncio.wait({watching, acting}, return_when=asyncio.FIRST_COMPLETED)
    acting.cancel()
    watching.cancel()
    results = await asyncio.gather(watching, acting, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


@pytest.mark.clause("ENGINE-16")
async def test_a_killed_worker_is_replaced_and_the_rest_is_run(
    bench: Bench, server: PrivateServer, worker: EmbeddedWorker
) -> None:
    """kill -9 of the worker: another one takes what waits; the caller hears of it."""
    heard: list[Restart] = []
    supervised = Supervised(server, worker, on_restart=heard.append)

    async def steps() -> None:
        for i in range(3):
            pid = worker.pid or 0
            os.kill(pid, signal.SIGKILL)
            await _until(lambda p=pid: worker.pid not in (None, p), "another worker")
            bench.push(f"ok-{i}")
            await _until(lambda k=f"ok-{i}": k in bench.noted("done"), "its delivery")

    await _watched(supervised, steps)
    assert [(r.name, r.count) for r in heard] == [("worker", 1), ("worker", 2), ("worker", 3)]


@pytest.mark.clause("ENGINE-08")
@pytest.mark.clause("ENGINE-16")
async def test_a_killed_server_comes_back_and_the_worker_goes_on(
    bench: Bench, server: PrivateServer, worker: EmbeddedWorker
) -> None:
    """kill -9 of the server with 64 deliveries running: they finish, what waited is run, the worker is the same."""
    heard: list[Restart] = []
    supervised = Supervised(server, worker, on_restart=heard.append)
    pid = worker.pid
    held = {f"hold-{i}" for i in range(64)}

    async def steps() -> None:
        bench.push(*sorted(held))
        await _until(lambda: held <= set(bench.noted("started")), "the held deliveries")
        os.kill(server.pid or 0, signal.SIGKILL)
        bench.release()
        await _until(lambda: held <= set(bench.noted("done")), "them done")
        await _until(lambda: heard and _pings(bench), "the server back")
        after = {f"ok-{i}" for i in range(1000)}
        bench.push(*sorted(after))
        await _until(lambda: after <= set(bench.noted("done")), "the later deliveries")

    await _watched(supervised, steps)
    assert [r.name for r in heard] == ["server"]
    assert worker.pid == pid


def _pings(bench: Bench) -> bool:
    try:
        return bool(bench.client.ping())
    except OSError:
        return False
    except Exception as error:  # redis' own connection errors
        return not type(error).__module__.startswith("redis")


@pytest.mark.clause("ENGINE-16")
async def test_a_process_that_dies_too_often_ends_the_engine(
    bench: Bench, server: PrivateServer, worker: EmbeddedWorker
) -> None:
    """The budget is spent: an error that names the process, and no further restart."""
    heard: list[Restart] = []
    supervised = Supervised(server, worker, on_restart=heard.append, limit=2)

    async def steps() -> None:
        while True:
            pid = server.pid
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.01)

    with pytest.raises(EngineError, match="private server died more than 2 times in 60 s"):
        await _watched(supervised, steps)
    assert len(heard) == 2
    supervised.stop(warm=False)
    assert (server.pid, worker.pid) == (None, None)


@pytest.mark.clause("ENGINE-16")
async def test_a_worker_that_cannot_come_up_spends_the_budget(
    bench: Bench, server: PrivateServer, worker: EmbeddedWorker
) -> None:
    """A replacement that fails at its start counts as a death; the last problem is in the error."""
    heard: list[Restart] = []
    supervised = Supervised(server, worker, on_restart=heard.append, limit=2)
    worker._deliverer = "deliverers:BadStart"

    async def steps() -> None:
        os.kill(worker.pid or 0, signal.SIGKILL)
        await asyncio.sleep(60)

    with pytest.raises(
        EngineError, match=r"embedded worker died more than 2 times.*the deliverer cannot start"
    ):
        await _watched(supervised, steps)
    assert [r.count for r in heard] == [1, 2]
