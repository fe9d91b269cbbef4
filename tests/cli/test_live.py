"""Progress on standard error."""

from __future__ import annotations

import io

import pytest

from quarry.cli.live import StderrReporter
from quarry.types import Counts


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def reporter(**more):
    clock, stream = Clock(), io.StringIO()
    return StderrReporter(stream, clock=clock, **{"live": False, **more}), stream, clock


def counts(done: int) -> Counts:
    return Counts(
        received=100, admitted=80, pending=60 - done, leased=4, committing=1, succeeded=done - 1, failed=1
    )


def play(shown, clock, seconds: int, per_second: int = 2):
    """A crawl that does so many runs a second, reported ten times a second."""
    for tick in range(seconds * 10 + 1):
        shown.progress(counts(1 + tick * per_second // 10), tick / 10, failures=1)
        clock.now += 0.1


@pytest.mark.clause("CLI-19")
def test_log_gets_a_plain_line_every_five_seconds():
    """No control codes; the first comes after five seconds."""
    shown, stream, clock = reporter()
    play(shown, clock, 12)
    shown.finish()
    lines = stream.getvalue().splitlines()
    assert lines == [
        "5 s  done 11  pending 49  in flight 5  2.0/s  failed 1",
        "10 s  done 21  pending 39  in flight 5  2.0/s  failed 1",
    ]


@pytest.mark.clause("CLI-19")
def test_terminal_gets_one_live_line_that_fits_and_goes_away():
    """Rewritten in place, with an estimate against the bound."""
    shown, stream, clock = reporter(live=True, max_runs=41, width=lambda: 300)
    play(shown, clock, 10)
    frames = stream.getvalue().split("\r\x1b[2K")
    assert "\n" not in stream.getvalue()
    assert frames[-1] == "10 s  done 21/41  pending 39  in flight 5  2.0/s  failed 1  ETA at most 10 s"
    shown.finish()
    assert stream.getvalue().endswith("\r\x1b[2K")
    shown.finish()
    narrow, stream, clock = reporter(live=True, width=lambda: 12)
    play(narrow, clock, 1)
    assert max(len(frame) for frame in stream.getvalue().split("\r\x1b[2K")) == 11


@pytest.mark.clause("CLI-19", "CLI-20")
def test_lines_said_in_between_replace_the_live_line_and_are_shown_safely():
    """What data says can't move the cursor."""
    shown, stream, _ = reporter(live=True)
    shown.log_path("/x/log")
    shown.progress(counts(1), 0, failures=0)
    shown.warning("bad \x1b[2J\nname")
    shown.info("more")
    told = stream.getvalue()
    assert told.startswith("log: /x/log\n")
    assert told.endswith("\r\x1b[2Kwarning: bad \\x1b[2J\\x0aname\nmore\n")
    assert shown.warnings == ["bad \x1b[2J\nname"]


@pytest.mark.clause("CLI-19")
def test_quiet_leaves_warnings():
    """And nothing else."""
    shown, stream, clock = reporter(quiet=True)
    shown.log_path("/x")
    play(shown, clock, 20)
    shown.info("x")
    shown.warning("w")
    assert stream.getvalue() == "warning: w\n"


def test_verbose_shows_all_counters():
    """Those of both equations."""
    shown, stream, clock = reporter(verbose=True)
    play(shown, clock, 6)
    assert (
        "received 100  admitted 80  duplicate 0  beyond_depth 0  over_cap 0  redeliveries 0"
        in stream.getvalue()
    )


def test_terminal_that_went_away_does_not_end_the_crawl():
    """Writing to it fails, and that is all."""
    shown, stream, clock = reporter(live=True)
    stream.close()
    play(shown, clock, 1)
    shown.warning("still here")
    shown.finish()
    assert shown.warnings == ["still here"]
