"""Storage threads that decode a type for the first time, all at once."""

from __future__ import annotations

import subprocess
import sys

from quarry.lode.records import encode_record
from tests.lode.samples import record

FIRST_DECODE = """
import sys, threading
sys.setswitchinterval(1e-6)
from quarry.lode.records import decode_record
text = sys.stdin.buffer.read()
together = threading.Barrier(8)

def work():
    together.wait()
    for _ in range(3):
        decode_record(text)

threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_many_threads_may_decode_a_type_for_the_first_time():
    """msgspec reads a type's fields at its first use and takes no lock: two at once ended the worker."""
    for _ in range(8):
        done = subprocess.run(
            [sys.executable, "-c", FIRST_DECODE],
            input=encode_record(record()),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, (done.returncode, done.stderr[-500:])
