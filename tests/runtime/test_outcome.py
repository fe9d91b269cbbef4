"""The outcome's decision table, without a process."""

from __future__ import annotations

import itertools

import pytest

from quarry.errors import ProtocolError, StoreError, VersionMismatchError
from quarry.ipc import RunResultFrame
from quarry.runtime.outcome import Ending, decide
from tests.runtime.test_ingest import make_event

COMPLETE = make_event(kind="run_complete", payload={})
ERROR = make_event(kind="run_error", payload={"error_type": "E", "message": "m"})
FAULTS = {
    "protocol": (ProtocolError("p"), "executor_crash"),
    "version": (VersionMismatchError("v"), "version_mismatch"),
    "storage": (StoreError("s", kind="denied"), "policy_failure"),
    "os": (OSError(28, "No space left"), "policy_failure"),
}


@pytest.mark.clause("RUN-02")
@pytest.mark.parametrize(
    ("ingestion", "flush", "code", "stopped"),
    [
        *itertools.product(
            [None, *FAULTS], [None, "storage"], [0, 1, 2, 3, -9, None], [None, "timeout", "cancelled"]
        )
    ],
)
def test_precedence(ingestion, flush, code, stopped):
    """Ingestion fault beats flush fault beats the way in which the executor ended."""
    outcome = decide(
        Ending(
            ingestion_fault=FAULTS[ingestion][0] if ingestion else None,
            flush_fault=FAULTS[flush][0] if flush else None,
            terminal=COMPLETE,
            exit_code=code,
            stopped=stopped,
        )
    )
    if ingestion:
        assert outcome.status == FAULTS[ingestion][1]
    elif flush:
        assert outcome.status == "policy_failure"
    elif code == 0:
        assert outcome.status == "success"
    elif stopped:
        assert (outcome.status, outcome.error_type) == ("executor_crash", stopped)
    else:
        assert outcome.status == ("script_error" if code == 1 else "executor_crash")
    assert outcome.status == "success" or outcome.message


TABLE = [
    (0, None, "executor_crash"),
    (0, COMPLETE, "success"),
    (0, ERROR, "script_error"),
    (1, None, "script_error"),
    (1, COMPLETE, "script_error"),
    (1, ERROR, "script_error"),
    (2, None, "executor_crash"),
    (2, COMPLETE, "executor_crash"),
    (2, ERROR, "executor_crash"),
    (3, None, "executor_crash"),
    (77, COMPLETE, "executor_crash"),
    (-11, COMPLETE, "executor_crash"),
]


@pytest.mark.clause("RUN-03")
@pytest.mark.parametrize(("code", "terminal", "status"), TABLE)
def test_exit_codes_are_authoritative(code, terminal, status):
    """The exit code decides, with the terminal event; in serving mode the status stands in for it."""
    assert decide(Ending(exit_code=code, terminal=terminal)).status == status
    word = {0: "completed", 1: "error", 2: "crash"}.get(code)
    if word:
        result = RunResultFrame(outcome={"status": word})
        assert decide(Ending(result=result, terminal=terminal)).status == status


@pytest.mark.clause("RUN-03")
def test_exit_code_beats_run_result():
    """Where both are there, the exit code decides and the result adds words."""
    result = RunResultFrame(outcome={"status": "completed", "message": "all well", "stack": "st"})
    outcome = decide(Ending(exit_code=2, terminal=COMPLETE, result=result))
    assert (outcome.status, outcome.message, outcome.stack) == ("executor_crash", "all well", "st")


@pytest.mark.clause("RUN-04")
def test_messages():
    """A message names what happened in one line."""
    assert "SIGSEGV" in decide(Ending(exit_code=-11)).message
    assert "signal 60" in decide(Ending(exit_code=-60)).message
    assert "without a run_error event" in decide(Ending(exit_code=1)).message
    assert "after a run_complete event" in decide(Ending(exit_code=1, terminal=COMPLETE)).message
    assert decide(Ending(exit_code=2, stderr_line="ImportError: x")).message.endswith("ImportError: x")
    assert "deadline of 1.5 s" in decide(Ending(stopped="timeout", timeout_ms=1500)).message
    long = make_event(kind="run_error", payload={"error_type": "E", "message": "a\nb " * 1000})
    message = decide(Ending(exit_code=1, terminal=long)).message
    assert "\n" not in message
    assert len(message) == 1000


@pytest.mark.clause("IPC-13")
@pytest.mark.parametrize("terminal", [None, COMPLETE, ERROR])
def test_lost_process(terminal):
    """A process that is gone before the result ends the run as a crash, whatever it had said."""
    outcome = decide(Ending(lost_process="it is gone", terminal=terminal, exit_code=0))
    assert (outcome.status, outcome.message) == ("executor_crash", "it is gone")
    stopped = decide(Ending(lost_process="it is gone", exit_code=-9, stopped="timeout"))
    assert stopped.error_type == "timeout"


@pytest.mark.parametrize(
    "payload", [{"skipped": True, "reason": "why"}, {"summary": {"skipped": True, "reason": "why"}}]
)
def test_skipped(payload):
    """A run that prepare skipped is a success that says so."""
    outcome = decide(Ending(exit_code=0, terminal=make_event(kind="run_complete", payload=payload)))
    assert (outcome.status, outcome.reason, outcome.message) == ("success", "skipped", "why")
