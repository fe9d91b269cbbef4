"""What a run says of its proxies: no password in whatever form, and no endpoint that it never had."""

from __future__ import annotations

import json

import pytest

from quarry.runtime import SingleShot
from quarry.runtime.proxy_used import GivenEndpoints
from quarry.runtime.redact import Redactor
from quarry.types import Secret
from quarry.types.proxy import Endpoint
from tests.runtime.support import MemoryFiles, MemoryPolicy, make_spec

PASSWORD = "s3cret-pass"
FIRST = Endpoint(protocol="http", host="h", port=1, username="u", password=Secret(PASSWORD))
SECOND = Endpoint(protocol="socks5", host="2001:db8::1", port=2, username="a:b", password=Secret(PASSWORD))
PLAIN = Endpoint(protocol="http", host="h", port=3)
TOLD = {"protocol": "http", "host": "h", "port": 1, "username": "u"}

NESTED = [
    {"server": f"http://u:{PASSWORD}@h:1"},
    {"auth": {"password": PASSWORD}},
    {"credentials": ["u", PASSWORD]},
    {"PassWord": PASSWORD, "pw": PASSWORD},
    {PASSWORD: 1},
]


@pytest.mark.clause("PROXY-22")
@pytest.mark.clause("RUN-08")
@pytest.mark.parametrize("more", NESTED)
def test_nothing_but_the_identity_is_kept(more):
    """Whatever else is said, and however deep; with a pool and without one."""
    assert GivenEndpoints(Redactor(), FIRST).used({**TOLD, **more}) == TOLD
    assert GivenEndpoints(Redactor(), FIRST).used(more) is None
    assert GivenEndpoints(Redactor(), None).used({**TOLD, **more}) == TOLD
    assert GivenEndpoints(Redactor(), None).used(more) is None


@pytest.mark.clause("RUN-08")
@pytest.mark.parametrize(
    "changed",
    [
        {"protocol": f"http://u:{PASSWORD}@h"},
        {"host": f"u:{PASSWORD}@h"},
        {"host": f"http://u:{PASSWORD}@h"},
        {"host": ["h"]},
        {"port": f"1/{PASSWORD}"},
        {"port": 1.5},
        {"port": 0},
        {"username": f"u:{PASSWORD}"},
        {"username": {"password": PASSWORD}},
        {"username": "u" * 2000},
    ],
)
def test_a_part_that_makes_no_sense_is_left_out(changed):
    """Without a pool the rest of it is kept: a foreign executor may have a proxy of its own."""
    (name,) = changed
    left = {key: value for key, value in TOLD.items() if key != name}
    assert GivenEndpoints(Redactor(), None).used({**TOLD, **changed}) == left
    assert GivenEndpoints(Redactor(), FIRST).used({**TOLD, **changed}) is None


@pytest.mark.clause("RUN-08")
def test_an_own_proxy_is_kept_without_the_secrets_of_the_job():
    given = GivenEndpoints(Redactor([Secret(PASSWORD)]), None)
    assert given.used({**TOLD, "username": f"x-{PASSWORD}"}) == {**TOLD, "username": "x-***"}
    assert given.used(None) is None


@pytest.mark.clause("RUN-09")
def test_of_a_run_with_a_pool_only_its_endpoints_are_kept():
    """The first, and those that it got later; one that differs in anything is another."""
    given = GivenEndpoints(Redactor(), FIRST)
    assert given.used(SECOND.public()) is None
    given.add(SECOND)
    given.add(PLAIN)
    assert [given.used(each.public()) for each in (FIRST, SECOND, PLAIN)] == [
        FIRST.public(),
        SECOND.public(),
        PLAIN.public(),
    ]
    others = [{**TOLD, "host": "g"}, {**TOLD, "username": "v"}, {**TOLD, "username": None}, {"host": "h"}]
    assert [given.used(other) for other in others] == [None] * 4
    figures = {"ok": 1, "failed": 0, "latency_ms": 5}
    entries = [
        {**each, **figures} for each in (FIRST.public(), {**TOLD, "username": PASSWORD}, SECOND.public())
    ]
    assert given.uses(entries) == [entries[0], entries[2]]
    assert GivenEndpoints(Redactor(), None).uses(entries) == []


@pytest.mark.clause("RUN-08")
@pytest.mark.parametrize("behaviour", ["tells_proxy", "tells_proxy_only"])
async def test_the_report_of_a_foreign_executor_has_no_password(foreign, behaviour):
    """A real one that gives its proxy in every way but the right one."""
    spec = make_spec(behaviour, proxy=FIRST)
    report = await SingleShot(executor=foreign).execute(spec, policy=MemoryPolicy(), put_file=MemoryFiles())
    assert report.outcome.status == "success"
    assert report.proxy_used == (TOLD if behaviour == "tells_proxy" else None)
    assert [entry["username"] for entry in report.proxy_use] == ["u"]
    assert PASSWORD not in report.to_json()


@pytest.mark.clause("PROXY-02")
async def test_an_endpoint_is_told_by_its_identity_in_a_message(foreign):
    """With its username, in the outcome's message and stack, in stderr and in the event; other users are struck out."""
    policy = MemoryPolicy()
    spec = make_spec("blames_proxy", proxy=FIRST)
    report = await SingleShot(executor=foreign).execute(spec, policy=policy, put_file=MemoryFiles())
    shown = "the proxy http://u@h:1 is away, not http://***@h:2"
    assert (report.outcome.message, report.outcome.stack, report.stderr_tail) == (shown, shown, f"{shown}\n")
    assert [event.payload["message"] for event in policy.events] == [shown]
    assert "ghp_token" not in report.to_json() + json.dumps([event.payload for event in policy.events])
