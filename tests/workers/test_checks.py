"""What is found wrong with a broker and with folders, and how it says to mend it. Pure."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from quarry.lode.probe import StorageFacts, probe_storage
from quarry.redisio import BrokerFacts, Reach, Severity, check_broker
from quarry.redisio.facts import difference_s
from quarry.tasks.places import check_scripts_root, check_storage

GOOD = BrokerFacts(reach=Reach.OK, settings_known=True, version="7.0.15", ahead_s=0.2)


def _bad(facts: BrokerFacts) -> list[tuple[str, str, str]]:
    found = check_broker(facts, "redis://h:1/0")
    return [(f.severity.value, f.what, f.mend) for f in found if f.severity is not Severity.OK]


def test_a_good_broker_has_findings_and_none_is_bad():
    """Everything that was looked at is listed, so that people see what was."""
    assert _bad(GOOD) == []
    assert [finding.check for finding in check_broker(GOOD, "a")] == [
        "broker", "broker version", "broker mode", "broker memory", "broker durability", "clock",
    ]  # fmt: skip


@pytest.mark.clause("FLEET-03")
@pytest.mark.parametrize(
    ("change", "said", "mend"),
    [
        ({"version": "6.0.16"}, "Redis 6.0.16 is older than 6.2", "Redis 6.2 or newer"),
        ({"version": ""}, "(unknown version)", "Redis 6.2"),
        ({"cluster": True}, "cluster mode", "cluster-enabled no"),
        ({"replica": True}, "replica", "primary"),
        ({"maxmemory_policy": "allkeys-lru"}, "maxmemory-policy allkeys-lru", "noeviction"),
        ({"reach": Reach.AWAY, "detail": "refused"}, "cannot be reached (refused)", "see that it runs"),
        ({"reach": Reach.LOGIN}, "refuses the user or password", "redis://USER:PASSWORD@"),
        ({"reach": Reach.TLS}, "no TLS connection", "rediss://"),
        ({"reach": Reach.FOREIGN}, "no Redis protocol", "port"),
        ({"reach": Reach.REFUSED, "detail": "DENIED"}, "every command (DENIED)", "its log"),
    ],
)
def test_what_would_lose_work_is_broken(change, said, mend):
    """One finding, which says what is wrong and how to mend it."""
    ((severity, what, how),) = _bad(replace(GOOD, **change))
    assert severity == "broken"
    assert said in what
    assert mend in how


@pytest.mark.clause("FLEET-05")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"aof": False}, "no append-only file"),
        ({"ahead_s": 5.1}, "5.1 s ahead of"),
        ({"ahead_s": -7.0}, "7.0 s behind"),
        ({"settings_known": False}, "may not call INFO"),
    ],
)
def test_what_promises_less_is_a_warning(change, said):
    """A worker starts all the same."""
    ((severity, what, mend),) = _bad(replace(GOOD, **change))
    assert severity == "warning"
    assert said in what
    assert mend


@pytest.mark.parametrize("version", ["6.2.0", "7.2.4", "8.0.1", "10.0"])
def test_new_enough_versions(version):
    """6.2 and whatever came after, two digits too."""
    assert _bad(replace(GOOD, version=version)) == []


def test_a_slow_answer_is_no_clock_that_differs():
    """Only what the time on the way cannot explain counts."""
    assert difference_s(100.0, asked=90.0, answered=110.0) == 0
    assert difference_s(120.0, asked=90.0, answered=110.0) == 10
    assert difference_s(80.0, asked=90.0, answered=110.0) == -10


@pytest.mark.clause("FLEET-10")
@pytest.mark.parametrize(
    ("facts", "required", "severity"),
    [
        (StorageFacts(path="/d", exists=True), True, "ok"),
        (StorageFacts(path="/d", exists=True, problem="full"), False, "broken"),
        (StorageFacts(path="/d", exists=False, parent_writable=True), True, "broken"),
        (StorageFacts(path="/d", exists=False, parent_writable=True), False, "ok"),
        (StorageFacts(path="/d", exists=False), False, "broken"),
    ],
)
def test_storage(facts, required, severity):
    """A worker wants its storage to be there; a single machine makes it."""
    found = check_storage(facts, required=required)
    assert found.severity == severity
    assert bool(found.mend) == (severity == "broken")


def test_a_missing_scripts_root():
    """It says where it looked."""
    assert check_scripts_root("/s", is_folder=True).severity is Severity.OK
    found = check_scripts_root("/s", is_folder=False)
    assert (found.severity, "/s" in found.what, "QUARRY_SCRIPTS_ROOT" in found.mend) == ("broken", True, True)


def test_a_storage_probe_leaves_nothing(tmp_path):
    """A folder that can be used; one that is missing; a file in its place."""
    assert probe_storage(str(tmp_path)) == StorageFacts(path=str(tmp_path), exists=True)
    missing = str(tmp_path / "a" / "b")
    assert probe_storage(missing) == StorageFacts(path=missing, exists=False, parent_writable=True)
    (tmp_path / "f").touch()
    assert probe_storage(str(tmp_path / "f" / "x")).parent_writable is False
    assert os.listdir(tmp_path) == ["f"]
