from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from engine_kit import Bench, raw_envelope, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from quarry.engine import EmbeddedWorker, PrivateServer


def _with(change: Callable[[dict[str, Any]], object]) -> str:
    message = raw_envelope("bad")
    change(message)
    return json.dumps(message)


def _b64(text: str) -> Callable[[dict[str, Any]], object]:
    return lambda m: (m.update(body=text), m["properties"].update(body_encoding="base64"))


BAD: dict[str, bytes | str] = {
    "not JSON": b"\x00\x01 nonsense",
    "not UTF-8": b"\xff\xfe\xff",
    "empty": b"",
    "a JSON list": b'["a", "b"]',
    "a JSON number": b"7",
    "a JSON null": b"null",
    "JSON nested too deep": b"[" * 100_000,
    "no properties": _with(lambda m: m.pop("properties")),
    "no delivery tag": _with(lambda m: m["properties"].pop("delivery_tag")),
    "delivery tag is a list": _with(lambda m: m["properties"].update(delivery_tag=[1])),
    "bad base64": _with(_b64("!not base64!!")),
    "base64 of no JSON": _with(_b64(base64.b64encode(b"{{{").decode())),
    "unknown body encoding": _with(lambda m: m["properties"].update(body_encoding="rot13")),
    "unknown compression": _with(lambda m: m["headers"].update(compression="x-none-such")),
    "headers are a list": _with(lambda m: m.update(headers=["a"])),
    "no headers": _with(lambda m: m.pop("headers")),
    "no task id": _with(lambda m: m["headers"].pop("id")),
    "task id is a list": _with(lambda m: m["headers"].update(id=[1])),
    "another task": _with(lambda m: m["headers"].update(task="os.system")),
    "a built-in task": _with(lambda m: m["headers"].update(task="celery.backend_cleanup")),
    "task name is a map": _with(lambda m: m["headers"].update(task={"a": 1})),
    "pickle": _with(lambda m: m.update({"content-type": "application/x-python-serialize"})),
    "no body": _with(lambda m: m.pop("body")),
    "body is a map": _with(lambda m: m.update(body='{"args": 1}')),
    "body is no triple": _with(lambda m: m.update(body='[["c", "k"], {}]')),
    "body is a number": _with(lambda m: m.update(body="5")),
    "body is no JSON": _with(lambda m: m.update(body="[[")),
    "arguments are a number": _with(lambda m: m.update(body="[5, {}, {}]")),
    "one argument": _with(lambda m: m.update(body='[["c"], {}, {}]')),
    "arguments are no text": _with(lambda m: m.update(body='[[1, {"a": 2}], {}, {}]')),
    "embed is a list": _with(lambda m: m.update(body='[["c", 1], {}, [1]]')),
    "bad eta": _with(lambda m: m["headers"].update(eta="tomorrow")),
    "bad expiry": _with(lambda m: m["headers"].update(expires=[1])),
    "bad time limits": _with(lambda m: m["headers"].update(timelimit=[1])),
    "stamps are a number": _with(lambda m: m["headers"].update(stamped_headers=5, stamps=7)),
}  # fmt: skip


@pytest.fixture(scope="module")
def bench(server: PrivateServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("bad"), server.url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def worker(bench: Bench) -> Iterator[EmbeddedWorker]:
    """One worker with two slots for all cases: a case that lost a slot or ended it fails a later one."""
    made = bench.worker(concurrency=2)
    made.start()
    yield made
    made.kill()


@pytest.mark.clause("ENGINE-05")
@pytest.mark.parametrize("case", BAD)
def test_a_bad_message_is_dropped_and_the_worker_goes_on(
    case: str, bench: Bench, worker: EmbeddedWorker
) -> None:
    """The worker keeps its process, its connection and its slots, and the message is not put back."""
    pid = worker.pid
    restarts = len(bench.logged("Connection to broker lost. Trying to re-establish the connection..."))
    bench.push_raw(BAD[case])
    good = {f"after {case} {i}" for i in range(3)}
    bench.push(*good)
    bench.wait_noted("done", good, timeout_s=5)
    assert worker.pid == pid
    assert bench.client.llen("quarry") == 0
    assert "bad" not in bench.noted("started")
    assert not [line for line in bench.log() if line["level"] == "critical"]
    assert not [line for line in bench.log() if "Connection to broker lost" in line["event"]], restarts


@pytest.mark.clause("ENGINE-05")
def test_bad_messages_leave_all_slots_free(bench: Bench, worker: EmbeddedWorker) -> None:
    """After every bad message, as many deliveries run at once as there are slots."""
    for message in BAD.values():
        bench.push_raw(message)
    bench.push("hold-1", "hold-2")
    bench.wait_noted("started", {"hold-1", "hold-2"})
    bench.release()
    bench.wait_noted("done", {"hold-1", "hold-2"})


def test_a_drop_is_logged_without_the_content(bench: Bench, worker: EmbeddedWorker) -> None:
    """The log says that and why a message was dropped, not what was in it."""
    bench.push_raw(b'{"password": "hunter2"')
    wait_for(lambda: bench.logged("broker.message_dropped"), "the log line")
    assert "hunter2" not in (bench.folder / "worker.log").read_text()
