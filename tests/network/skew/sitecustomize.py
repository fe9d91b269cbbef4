"""A wrong clock for the Python processes of one host: first on their PYTHONPATH, it shifts what `time` says of the day.

Every time of the day in Quarry comes from `time.time` or `time.time_ns`; the monotonic clock and file times stay.
Rejected: libfaketime 0.9.10 by LD_PRELOAD. With its monotonic clock left alone, `time.sleep` of Python 3.11 fails
with EINVAL (it sleeps until an absolute time, which the library shifts); with it shifted, waiting for an event hangs.
"""

import os
import time

_AHEAD_S = int(os.environ.get("NET_CLOCK_AHEAD_S", "0"))


def _shift(real, ahead):
    def shifted():
        return real() + ahead

    return shifted


time.time = _shift(time.time, _AHEAD_S)
time.time_ns = _shift(time.time_ns, _AHEAD_S * 1_000_000_000)
