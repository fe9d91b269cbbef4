"""A serving executor that misbehaves on request; imports nothing of Quarry. Each run's script names its behaviour."""

import os
import queue
import struct
import sys
import threading
import time

import msgpack

LOCK = threading.Lock()
INBOX = {}
VERSION = os.environ.get("STUB_VERSION", "1.0")


def send(frame):
    body = msgpack.packb(frame)
    data = struct.pack(">I", len(body)) + body
    with LOCK:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    return len(data)


def read():
    prefix = sys.stdin.buffer.read(4)
    return (
        msgpack.unpackb(sys.stdin.buffer.read(struct.unpack(">I", prefix)[0])) if len(prefix) == 4 else None
    )


class Run:
    def __init__(self, request):
        self.request = request
        self.run_id = request["run_id"]
        self.seq = 0
        self.outstanding = 0
        self.peak = 0
        self.cancelled = threading.Event()
        self.acks = queue.Queue()
        self.room = threading.Condition()

    def counted(self, frame):
        size = len(msgpack.packb(frame)) + 4
        with self.room:
            while self.outstanding and self.outstanding + size > self.request["credit_bytes"]:
                self.room.wait()
            self.outstanding += size
            self.peak = max(self.peak, self.outstanding)
        send(frame)

    def event(self, kind, payload, counted=True, **changes):
        self.seq += 1
        frame = {
            "contract_version": "1.0",
            "event_id": f"e{self.seq}",
            "run_id": self.run_id,
            "seq": self.seq,
            "type": kind,
            "ts": "2026-01-31T12:00:00.000Z",
            "payload": payload,
            "attempt": self.request["attempt"],
            **changes,
        }
        (self.counted if counted else send)(frame)

    def item(self, value=0, **changes):
        self.event("item", {"item_type": "t", "data": {"n": value}}, **changes)

    def result(self, status="completed", **outcome):
        send({"type": "run_result", "run_id": self.run_id, "outcome": {"status": status, **outcome}})

    def put(self, write_id, name):
        self.counted(
            {
                "type": "file_write",
                "write_id": write_id,
                "filename": name,
                "content_type": "t",
                "data": b"x",
                "run_id": self.run_id,
            }
        )
        return self.acks.get()


def good(run):
    run.item(os.getpid())
    run.event("run_complete", {})
    run.result()


def crash_status(run):
    run.result("crash", message="no such script", error_type="ImportError")


def error_status(run):
    run.event("run_error", {"error_type": "ValueError", "message": "bad"})
    run.result("error", message="bad")


def complete_without_result(run):
    run.event("run_complete", {})
    run.cancelled.wait()
    run.result()


def wait(run):
    """Runs until it is cancelled, and then obeys."""
    run.item(os.getpid())
    run.cancelled.wait()
    run.event("run_error", {"error_type": "Cancelled", "message": "cancelled"})
    run.result("error", message="cancelled")


def stubborn(run):
    run.item(os.getpid())
    time.sleep(600)


def die(run):
    run.item(os.getpid())
    print("about to die", file=sys.stderr, flush=True)
    os._exit(41)


def seq_fault(run):
    run.item(1)
    run.item(2, seq=7)
    run.cancelled.wait()
    run.result()


def garbage(run):
    with LOCK:
        sys.stdout.buffer.write(b"\0\0\0\1\xc1")
        sys.stdout.buffer.flush()
    time.sleep(600)


def nameless(run):
    send({"type": "artifact_chunk", "artifact_id": "a", "seq": 1, "is_last": True, "data": b""})
    time.sleep(600)


def enqueue(run):
    run.event("enqueue", {"target": "x.py", "params": {}})
    run.cancelled.wait()
    run.result()


def over_credit(run):
    for _ in range(200):
        run.item("x" * 65536, counted=False)
    run.cancelled.wait()
    run.result()


def flood(run):
    for _ in range(run.request["job"]["events"]):
        run.item("x" * 65536)
    run.event("run_complete", {"summary": {"peak": run.peak}})
    run.result()


def big_frame(run):
    """A frame larger than the whole credit goes when nothing is outstanding."""
    run.item(1)
    run.item("x" * (run.request["credit_bytes"] * 2))
    run.item(2)
    run.event("run_complete", {})
    run.result()


def put(run):
    acks = [run.put(1, "a.txt"), run.put(2, "a.txt")]
    run.item(acks)
    run.event("run_complete", {})
    run.result()


def noisy(run):
    send({"type": "stderr", "run_id": run.run_id, "text": f"said by {run.run_id}\n"})
    good(run)


def stray(run):
    send({"type": "stderr", "run_id": "nobody", "text": "x"})
    send(
        {
            "type": "artifact_chunk",
            "run_id": "nobody",
            "artifact_id": "a",
            "seq": 1,
            "is_last": True,
            "data": b"",
        }
    )
    good(run)


def grow(run):
    run.ballast = bytearray(80 * 1024 * 1024)
    LEAKS.append(run.ballast)
    good(run)


LEAKS = []


def main():
    if os.environ.get("STUB_MUTE"):
        print("cannot start: no luck", file=sys.stderr)
        sys.exit(4)
    send({"type": "hello", "contract_version": VERSION, "pid": os.getpid(), "capacity": int(sys.argv[-1])})
    while (frame := read()) is not None:
        run = INBOX.get(frame.get("run_id"))
        if frame["type"] == "run_request":
            run = INBOX[frame["run_id"]] = Run(frame)
            threading.Thread(target=globals()[frame["script"]], args=(run,), daemon=True).start()
        elif frame["type"] == "cancel":
            run.cancelled.set()
        elif frame["type"] == "credit":
            with run.room:
                run.outstanding -= frame["bytes"]
                run.room.notify_all()
        elif frame["type"] == "file_write_ack":
            run.acks.put(frame)


if __name__ == "__main__":
    main()
