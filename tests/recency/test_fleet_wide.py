"""Sixteen processes choose from one pool at once; the marks say whether anything was torn."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from tests.scheduler.servers import running_server

PROCESSES = 16


def _choose_at_once(url: str, *, size: int, window: int, count: int) -> list[int]:
    """Positions in the order of their numbers, over all processes."""
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.recency.choosing",
                url,
                str(size),
                str(window),
                str(count),
                str(seed),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(PROCESSES)
    ]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        marks = [mark for process in processes for mark in json.loads(process.communicate(timeout=150)[0])]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    marks.sort()
    assert [number for number, _ in marks] == list(range(1, PROCESSES * count + 1))
    return [position for _, position in marks]


@pytest.mark.clause("PROXY-08")
@pytest.mark.clause("PROXY-06")
@pytest.mark.parametrize("size", [2, 3, 10, 1000, 100_000])
def test_no_window_is_violated_by_sixteen_processes(size):
    """In the order of the marks no endpoint is among the last W choices, for pools from 2 to 100,000."""
    window = min(size - 1, 500)
    with running_server("redis") as server:
        chosen = _choose_at_once(server.url, size=size, window=window, count=1000)
    last: dict[int, int] = {}
    for number, position in enumerate(chosen):
        assert number - last.get(position, -size) > window
        last[position] = number


@pytest.mark.clause("PROXY-05")
@pytest.mark.parametrize("size", [3, 1000])
def test_sixteen_processes_go_round_exactly(size):
    """The marks go round without a gap or a repetition: counts differ by at most one."""
    with running_server("redis") as server:
        chosen = _choose_at_once(server.url, size=size, window=0, count=1000)
    assert chosen == [number % size for number in range(len(chosen))]
    counts = Counter(chosen)
    assert max(counts.values()) - min(counts.values()) <= 1
