"""Writers in processes of their own, to race and to be killed: ``python -m tests.lode.processes WHAT ROOT …``.

Each says what it has done on stdout, a line at a time, and waits for a line on stdin where the test decides when it goes
on.
"""

from __future__ import annotations

import os
import signal
import sys

from quarry.lode import Dataset, seal
from quarry.lode.parts import PartFile
from tests.lode.samples import artifact_event, chunk, event, record, writer


def say(*words: object) -> None:
    print(*words, flush=True)


def race(root: str, number: str) -> None:
    """Write a run, wait for the start, put its record, clean up as the answer says."""
    dataset = Dataset.create(root)
    token = f"t{int(number):02d}"
    sink = writer(dataset, token=token)
    sink.append([event(1), event(2, "run_complete")])
    sink.put_file("f", "x/y", b"1")
    made = record(sink.seal({}), token=token)
    say("ready")
    sys.stdin.readline()
    standing = dataset.put_record(made)
    if standing.token == token:
        sink.drop_live()
    else:
        sink.discard()
    say(token, standing.token)


def append(root: str, batch: str) -> None:
    """Append batches for ever; say the last ``seq`` of each once it is durable."""
    sink = writer(Dataset.create(root))
    size = int(batch)
    seq = 0
    while True:
        sink.append(
            [event(seq + n, "log", {"n": seq + n, "pad": "x" * (seq % 977)}) for n in range(1, size + 1)]
        )
        seq += size
        say(seq)


def seal_and_die(root: str, step: str) -> None:
    """Append a run, seal it, put its record, and be killed before durable step number STEP."""
    dataset = Dataset.create(root)
    sink = writer(dataset)
    left = int(step)

    def dying(real):
        def call(*args, **named):
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **named)

        return call

    sink.append_chunk(chunk("a", 1, b"bytes", last=True))
    sink.append([event(1), artifact_event(2, "a", 5), event(3, "run_complete")])
    say("durable")
    for name in ("fsync", "rename", "link", "unlink", "mkdir", "open"):
        setattr(os, name, dying(getattr(os, name)))
    PartFile.finish = dying(PartFile.finish)
    seal.remove_file = dying(seal.remove_file)
    made = record(sink.seal({}))
    dataset.put_record(made)
    sink.drop_live()
    say("done")


def big(root: str, mib: str) -> None:
    """Seal an artifact of so many MiB and as many MiB of events; say how many KiB of memory that took."""
    import resource

    import pyarrow.parquet

    dataset = Dataset.create(root)
    first = writer(dataset, "small", "small")
    first.append([event(1)])
    first.seal({})
    del pyarrow
    sink = writer(dataset, "big", "big")
    count = int(mib)
    for number in range(1, count + 1):
        sink.append_chunk(chunk("a", number, os.urandom(1024 * 1024), last=number == count))
    sink.append([artifact_event(1, "a", count * 1024 * 1024)])
    for number in range(count):
        sink.append([event(2 + number * 16 + n, "log", {"pad": "x" * 65_536}) for n in range(16)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sealed = sink.seal({})
    say(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    dataset.put_record(record(sealed, run_id="big", token="big"))
    sink.drop_live()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
