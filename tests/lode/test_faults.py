"""Storage errors: their kinds, their sentences, and when they are tried again."""

from __future__ import annotations

import errno
import pickle

import pytest

from quarry.errors import StoreError
from quarry.lode.faults import store_error
from quarry.lode.retry import Retrier

KINDS = {
    "no_space": [errno.ENOSPC, errno.EDQUOT, errno.EFBIG],
    "denied": [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR],
    "not_found": [errno.ENOENT],
    "throttled": [errno.EMFILE, errno.EAGAIN, errno.EBUSY],
    "timeout": [errno.ETIMEDOUT, errno.ESTALE],
    "other": [errno.EIO, errno.ENAMETOOLONG, errno.EXDEV, errno.EDOM],
}


@pytest.mark.clause("LODE-28", "LODE-29")
@pytest.mark.parametrize(("kind", "number"), [(kind, n) for kind, numbers in KINDS.items() for n in numbers])
def test_every_system_error_has_a_kind_and_a_sentence(kind, number):
    """The sentence says what was tried on which path; only what can pass by itself is retryable."""
    fault = store_error(OSError(number, "x"), action="write", path="/data/part")
    assert fault.kind == kind
    assert fault.message.startswith("can't write /data/part: ")
    assert fault.retryable == (kind in {"throttled", "timeout"})
    assert fault.context["errno"] == errno.errorcode[number]
    assert pickle.loads(pickle.dumps(fault)).kind == kind


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class Flaky:
    """Fails with these errors, one a call, then answers."""

    def __init__(self, *errors: int, cost_s: float = 0.0, time: Time | None = None) -> None:
        self.errors = list(errors)
        self.calls = 0
        self.cost_s = cost_s
        self.time = time

    def __call__(self) -> str:
        self.calls += 1
        if self.time is not None:
            self.time.now += self.cost_s
        if self.errors:
            raise OSError(self.errors.pop(0), "x")
        return "done"


@pytest.mark.clause("LODE-29")
def test_what_can_pass_is_tried_five_times():
    """Four failures are survived, five are not; pauses grow."""
    time = Time()
    retrier = Retrier(clock=time.clock, sleep=time.sleep)
    flaky = Flaky(errno.EBUSY, errno.ETIMEDOUT, errno.EMFILE, errno.EAGAIN)
    assert retrier.call(flaky, action="write", path="p") == "done"
    assert flaky.calls == 5
    assert time.pauses == sorted(time.pauses)
    flaky = Flaky(*[errno.EBUSY] * 5)
    with pytest.raises(StoreError) as caught:
        retrier.call(flaky, action="write", path="p")
    assert (caught.value.kind, caught.value.context["tries"], flaky.calls) == ("throttled", 5, 5)


@pytest.mark.clause("LODE-29")
def test_no_try_is_started_after_sixty_seconds():
    """Slow failures end the matter before the fifth try."""
    time = Time()
    flaky = Flaky(*[errno.ETIMEDOUT] * 9, cost_s=25.0, time=time)
    with pytest.raises(StoreError):
        Retrier(clock=time.clock, sleep=time.sleep).call(flaky, action="read", path="p")
    assert flaky.calls == 3
    assert time.now - flaky.cost_s <= 60


@pytest.mark.clause("LODE-29")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO, errno.ENOENT])
def test_what_waiting_can_not_mend_is_tried_once(number):
    """No pause is spent on it."""
    time = Time()
    flaky = Flaky(number)
    with pytest.raises(StoreError):
        Retrier(clock=time.clock, sleep=time.sleep).call(flaky, action="write", path="p")
    assert (flaky.calls, time.pauses) == (1, [])
