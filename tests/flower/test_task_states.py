"""How a delivery's small dict becomes a task's state."""

from __future__ import annotations

import pytest
from celery.exceptions import Retry

from quarry.tasks.job import Job, RunFailedError
from quarry.types import OutcomeStatus


def job() -> Job:
    return Job(None, lambda _: None)


@pytest.mark.clause("METRICS-02")
@pytest.mark.parametrize(
    "shown", [{"outcome": "success", "attempt": 1}, {"outcome": "not_claimed_gone"}, {}, None]
)
def test_what_did_not_fail_succeeds_with_the_dict_as_text(shown):
    failed, result, runtime = job().delivered(shown)
    assert (failed, result) == (False, repr(shown))
    assert runtime >= 0


@pytest.mark.clause("METRICS-02")
@pytest.mark.parametrize(
    "status", [status for status in OutcomeStatus if status is not OutcomeStatus.SUCCESS]
)
@pytest.mark.parametrize("how", ["committed", "adopted"])
def test_each_failed_outcome_fails_with_the_dict_as_text(status, how):
    shown = {"outcome": status.value, "how": how, "attempt": 2}
    failed, info, _ = job().delivered(shown)
    assert failed
    assert isinstance(info.exception, RunFailedError)
    assert repr(info.exception) == repr(shown)
    assert info.traceback == ""


@pytest.mark.clause("METRICS-03")
@pytest.mark.parametrize("how", ["retry_ok", "retry_lost"])
def test_an_attempt_that_is_not_the_end_is_retried(how):
    shown = {"outcome": "script_error", "how": how, "attempt": 1}
    failed, info, _ = job().delivered(shown)
    assert failed
    assert isinstance(info.exception, Retry)
    assert repr(info.exception.exc) == repr(shown)


@pytest.mark.clause("METRICS-03")
@pytest.mark.parametrize(
    ("shown", "retries"), [({"outcome": "success", "attempt": 3}, 2), ({}, None), ("x", None)]
)
def test_retries_are_the_attempts_before(shown, retries):
    made = job()
    made.delivered(shown)
    assert made.retries == retries
