"""A single-shot executor that misbehaves on request; imports nothing of Quarry. SCRIPT names the behaviour."""

import contextlib
import json
import os
import signal
import struct
import sys
import time
from pathlib import Path

import msgpack

OUT = sys.stdout.buffer
EXTRA = {}


def send(frame):
    body = msgpack.packb(frame)
    OUT.write(struct.pack(">I", len(body)) + body)
    OUT.flush()


def event(kind, payload, **changes):
    EXTRA["seq"] = EXTRA.get("seq", 0) + 1
    frame = {
        "contract_version": "1.0",
        "event_id": f"e{EXTRA['seq']}",
        "run_id": REQUEST["run_id"],
        "seq": EXTRA["seq"],
        "type": kind,
        "ts": "2026-01-31T12:00:00.000Z",
        "payload": payload,
        "attempt": REQUEST["attempt"],
    }
    send({**frame, **changes})


def item(n=0, **changes):
    event("item", {"item_type": "t", "data": {"n": n}}, **changes)


def complete():
    event("run_complete", {})


def result(status="completed", **outcome):
    send(
        {
            "type": "run_result",
            "outcome": {"status": status, **outcome},
            "proxy_used": {"host": "h", "password": "pw"},
        }
    )


def put(write_id, name, data=b"x"):
    send(
        {
            "type": "file_write",
            "write_id": write_id,
            "filename": name,
            "content_type": "text/plain",
            "data": data,
        }
    )


def ack():
    size = sys.stdin.buffer.read(4)
    return msgpack.unpackb(sys.stdin.buffer.read(struct.unpack(">I", size)[0])) if size else None


def chunk(artifact_id, seq, data, last=False):
    send({"type": "artifact_chunk", "artifact_id": artifact_id, "seq": seq, "is_last": last, "data": data})


def artifact(artifact_id, size):
    event("artifact", {"artifact_id": artifact_id, "name": "n", "content_type": "t", "size_bytes": size})


def good():
    item()
    complete()
    result()


def echo():
    item(
        {
            "request": REQUEST,
            "env": {k: v for k, v in os.environ.items() if k.startswith("QUARRY_")},
            "cwd": str(Path.cwd()),
            "argv": sys.argv[1:],
        }
    )
    complete()


def tells_proxy(*, identity=True):
    """Say of the proxy all that there is to say, in shapes of its own."""
    complete()
    proxy = REQUEST["proxy"]
    user, password = proxy["username"], proxy["password"]
    told = {
        "server": f"http://{user}:{password}@{proxy['host']}:{proxy['port']}",
        "credentials": [user, password],
        "auth": {"password": password},
    }
    figures = {"ok": 1, "failed": 0, "latency_ms": 1}
    use = [{**proxy, **figures}, {**proxy, "username": f"{user}:{password}", **figures}]
    used = {**proxy, **told} if identity else told
    send({"type": "run_result", "outcome": {"status": "completed"}, "proxy_used": used, "proxy_use": use})


def tells_proxy_only():
    tells_proxy(identity=False)


def blames_proxy():
    message = "the proxy http://u@h:1 is away, not http://ghp_token@h:2"
    print(message, file=sys.stderr)
    event("run_error", {"error_type": "FetchError", "message": message, "stack": message})
    result("error", message=message)
    return 1


def script_error():
    event("run_error", {"error_type": "ValueError", "message": "bad\nvalue", "stack": "the stack"})
    result("error", message="bad value")
    return 1


def silent_error():
    result("error", message="hidden", error_type="Hidden")
    return 1


def error_event_exit_0():
    event("run_error", {"error_type": "ValueError", "message": "bad value"})


def load_failure():
    result("crash", message="no such script", error_type="ModuleNotFoundError", stack="st")
    return 2


def load_failure_silent():
    print("ImportError: no module named x", file=sys.stderr)
    return 2


def bad_input():
    print("usage: what?", file=sys.stderr)
    return 3


def odd_exit():
    complete()
    return 42


def no_terminal():
    item()


def killed():
    item()
    OUT.write(b"\0\0\1")
    OUT.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def torn():
    item()
    complete()
    OUT.write(b"\0\0\1\0abc")
    OUT.flush()


def leftover():
    item()
    OUT.write(b"\0\0\0\2\x80\x80")
    OUT.flush()
    time.sleep(600)


def oversize():
    item()
    OUT.write(struct.pack(">I", 17 << 20))
    OUT.flush()
    time.sleep(600)


def wrong_seq():
    item(1)
    item(2)
    item(3, seq=9)
    time.sleep(600)


def wrong_run():
    item(run_id="other")


def wrong_attempt():
    item(attempt=2)


def wrong_version():
    item(contract_version="0.9")
    complete()


def wrong_payload():
    event("item", {"data": 1})


def nan():
    item(float("nan"))


def after_terminal():
    complete()
    item(1)
    item(2, seq=77)
    chunk("late", 1, b"x", last=True)
    put(1, "late.txt")
    EXTRA["ack"] = ack()
    print(json.dumps(EXTRA["ack"]), file=sys.stderr)
    event("run_error", {"error_type": "E", "message": "late"})
    result()
    result("crash", message="second")


def liberal():
    stamp = msgpack.Timestamp(1_700_000_000, 5_000_000)
    kinds = [
        ("item", {b"item_type": b"t", "data": {"at": stamp}}),
        ("novelty", {"x": 1}),
        ("run_complete", {}),
    ]
    for seq, (kind, payload) in enumerate(kinds, 1):
        send(
            {
                "zz_unknown": {1: b"\xff"},
                "attempt": 1.0,
                "payload": payload,
                "ts": stamp,
                "type": kind.encode(),
                "seq": float(seq),
                "run_id": REQUEST["run_id"].encode(),
                "event_id": b"e\xff",
                "contract_version": "1.0",
            }
        )


def artifacts():
    chunk("a", 1, b"abc")
    chunk("a", 2, b"de", last=True)
    artifact("a", 5)
    chunk("empty", 1, b"", last=True)
    artifact("empty", 0)
    chunk("orphan", 1, b"1234")
    complete()


def artifact_wrong_size():
    chunk("a", 1, b"abc", last=True)
    artifact("a", 4)


def files():
    names = ["ok.txt", "ok.txt", "", "..", "a/b", "a\\b", "a\0b", "x" * 256, "full.bin", "ok2.txt"]
    for number, name in enumerate(names, 1):
        put(number, name)
    put(11, "big.bin", b"x" * (8 * 1024 * 1024 + 1))
    put(0, "quiet.txt")
    acks = [ack() for _ in range(11)]
    item({"acks": acks})
    complete()


def put_then_wait():
    complete()
    OUT.close()
    os.close(1)
    sys.stderr.write("eof" if ack() is None else "frame")


def stderr_flood():
    for number in range(20_000):
        sys.stderr.write(f"line {number} of much\n")
    sys.stderr.write("with pw-secret-1\n")
    complete()


def hang():
    item()
    time.sleep(600)


def hang_hard():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    item()
    time.sleep(600)


def hang_with_child():
    """A grandchild in a session of its own, as a browser has."""
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
    hang()


def leave_child():
    """The grandchild holds stdout and stderr open, and would outlive this."""
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
    good()


def late_terminal():
    with contextlib.suppress(KeyboardInterrupt):
        signal.signal(signal.SIGTERM, lambda *_: complete() or os._exit(0))
    item()
    time.sleep(600)


def flood():
    """20,000 events with 64 KiB each are 1.3 GB, if somebody keeps them."""
    for number in range(REQUEST["job"].get("events", 20_000)):
        item({"n": number, "text": "x" * 65536})
    complete()


def enqueues():
    for number in range(1200):
        event("enqueue", {"target": "x.py", "params": {"n": number}})
        if number % 3 == 0:
            item(number)
    complete()


def deep():
    value = 1
    for _ in range(900):
        value = [value]
    item(value)


def version_by_frame():
    good()


def unread_acks():
    for number in range(1, 20_001):
        put(number, "../x")
    complete()


if __name__ == "__main__":
    if sys.argv[1] == "--validate":
        answers = {
            "good": ('{"valid": true, "exports": {"default": true, "hooks": ["prepare"]}}', 0),
            "broken": ('{"valid": false, "error": "it is broken"}', 1),
            "liar": ('{"valid": true}', 1),
            "mute": ("", 7),
        }
        answer, code = answers[sys.argv[2]]
        print(answer)
        sys.exit(code)
    REQUEST = json.loads(sys.stdin.buffer.readline())
    try:
        sys.exit(globals()[sys.argv[1]]() or 0)
    except BrokenPipeError:
        os._exit(9)
