"""With one protection switched off the same search finds what it protects: the search is no blind one."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog

from quarry.ipc import FileWrite, RunResultFrame
from quarry.runtime import session as session_module
from quarry.runtime.hidden_text import HiddenText
from quarry.runtime.proxy_used import GivenEndpoints
from quarry.runtime.redact import Redactor
from quarry.runtime.session import RunSession
from quarry.types import Event, Secret
from quarry.types.proxy import Endpoint
from quarry.version import CONTRACT_VERSION
from tests.leaks.forms import find
from tests.leaks.planted import EVERY, JOB_FILE, JOB_VARIABLE, MAPPING, URL
from tests.runtime.support import MemoryFiles, MemoryPolicy, make_spec

SECRETS = {"GIVEN": Secret(JOB_VARIABLE.value), "FILED": Secret(JOB_FILE.value)}


def endpoint(planted) -> Endpoint:
    return Endpoint(
        protocol="http", host="h", port=1, username=planted.username, password=Secret(planted.value)
    )


def event(number, event_type, **payload) -> Event:
    return Event(
        contract_version=CONTRACT_VERSION,
        event_id=f"e{number}",
        run_id="run-1",
        attempt=1,
        seq=number,
        type=event_type,
        ts="2026-01-31T00:00:00.000Z",
        payload=payload,
    )


async def everything_of_a_run() -> bytes:
    """What is kept of a run that says its secrets in every way: events, report, log."""
    job = {"token": JOB_VARIABLE.value, "key": JOB_FILE.value}
    words = f"{job} {json.dumps(job)} {MAPPING.user_info} {MAPPING.value} {endpoint(MAPPING)!r}"
    policy = MemoryPolicy()

    async def other(_: str | None) -> Endpoint:
        return endpoint(URL)

    with structlog.testing.capture_logs() as logs, ThreadPoolExecutor(1) as threads:
        session = RunSession(
            make_spec("s.py", job=job, secrets=SECRETS, proxy=endpoint(MAPPING)),
            policy=policy,
            put_file=MemoryFiles(),
            on_enqueue=None,
            on_rotate=other,
            threads=threads,
            logger=structlog.get_logger(),
        )
        used = {**endpoint(URL).public(), "auth": [{"password": MAPPING.value}], "server": MAPPING.user_info}
        use = {**endpoint(URL).public(), "username": URL.user_info, "ok": 1, "failed": 0, "latency_ms": 1}
        result = {
            "status": "error",
            "message": words,
            "error_type": "E",
            "stack": f"{words}\n  at {URL.value}",
        }
        await session.process(
            [
                event(1, "log", level="info", message=words, fields={"deep": [job]}),
                event(2, "enqueue", target="s.py", params=job),
                event(3, "rotate_proxy", reason=words),
                FileWrite(write_id=1, filename=f"a/{JOB_VARIABLE.value}", content_type="t/p", data=b""),
                event(4, "run_error", error_type="E", message=words, stack=words),
                RunResultFrame(outcome=result, proxy_used=used, proxy_use=[use]),
            ]
        )
        session.stderr.write(words.encode())
        report = session.report(exit_code=1, pid=1).to_json()
    assert [each.type for each in policy.events] == ["log", "enqueue", "rotate_proxy", "run_error"]
    kept = [repr(policy.events), json.dumps([each.payload for each in policy.events]), report, repr(logs)]
    return "\n".join(kept).encode()


def planted_in(data: bytes) -> set[str]:
    return {name for name, planted in EVERY.items() if find(data, {name: planted.texts()})}


@pytest.mark.clause("RUN-08")
@pytest.mark.clause("PROXY-22")
@pytest.mark.clause("PROXY-23")
async def test_nothing_is_found_as_it_is():
    data = await everything_of_a_run()
    assert planted_in(data) == set()
    assert b"***" in data
    assert b'{"$secret": "GIVEN"}' in data
    assert MAPPING.username.encode() in data


@pytest.mark.parametrize(
    ("where", "what", "instead"),
    [
        pytest.param(Redactor, "text", lambda _self, text, **_: text, id="redactor"),
        pytest.param(Redactor, "words", lambda _self, fields: dict(fields), id="words of events"),
        pytest.param(HiddenText, "strike", lambda _self, text: text, id="striking out"),
        pytest.param(session_module, "conceal", lambda value, _: value, id="references"),
        pytest.param(GivenEndpoints, "used", lambda _self, reported: reported, id="proxy_used"),
        pytest.param(Redactor, "learn_endpoint", lambda _self, _endpoint: None, id="passwords"),
    ],
)
async def test_what_one_protection_hides_is_found_without_it(monkeypatch, where, what, instead):
    monkeypatch.setattr(where, what, instead)
    assert planted_in(await everything_of_a_run())


async def test_a_secret_that_shows_itself_is_found(monkeypatch):
    """Its ``repr`` is the last wall: without it nothing that holds an endpoint may be printed."""
    monkeypatch.setattr(Secret, "__repr__", Secret.reveal)
    assert planted_in(repr(endpoint(URL)).encode()) == {"password in a URL"}
