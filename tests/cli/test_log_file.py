"""The log of a command that has ended."""

from __future__ import annotations

import structlog

from quarry.logs import logging_to


def test_a_line_that_comes_after_the_log_was_closed_does_no_harm(tmp_path):
    """A thread that ends late, or the next test of this process, logs into the void."""
    log = tmp_path / "x.ndjson"
    try:
        with logging_to(str(log)):
            structlog.get_logger("x").info("in.time")
        structlog.get_logger("x").info("too.late")
    finally:
        structlog.reset_defaults()
    assert log.read_text().count("\n") == 1
