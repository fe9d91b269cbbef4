"""An executor that does what its job says and starts in a few milliseconds; imports nothing of Quarry.

After each verb it waits until the runtime has dealt with it: every event is a batch of its own, whatever the load of
the machine, and a run has the same points each time.
"""

import json
import struct
import sys

REQUEST = json.loads(sys.stdin.buffer.readline())
SEQ = [0]


def pack(value):
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return b"\xce" + struct.pack(">I", value)
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    if isinstance(value, str):
        data = value.encode()
        return b"\xdb" + struct.pack(">I", len(data)) + data
    if isinstance(value, dict):
        pairs = b"".join(pack(part) for pair in value.items() for part in pair)
        return b"\xdf" + struct.pack(">I", len(value)) + pairs
    return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(pack, value))


def send(frame):
    body = pack(frame)
    sys.stdout.buffer.write(struct.pack(">I", len(body)) + body)
    sys.stdout.buffer.flush()


def event(kind, payload):
    SEQ[0] += 1
    send(
        {
            "contract_version": REQUEST["contract_version"],
            "event_id": f"{REQUEST['run_id']}-{REQUEST['storage']['files_prefix'][-12:]}-{SEQ[0]}",
            "run_id": REQUEST["run_id"],
            "seq": SEQ[0],
            "type": kind,
            "ts": "2026-01-31T12:00:00.000Z",
            "payload": payload,
            "attempt": REQUEST["attempt"],
        }
    )


def put(name, data):
    frame = {
        "type": "file_write",
        "write_id": 1,
        "filename": name,
        "content_type": "text/plain",
        "data": data,
    }
    send(frame)
    size = sys.stdin.buffer.read(4)
    if len(size) < 4:
        raise SystemExit(2)
    sys.stdin.buffer.read(struct.unpack(">I", size)[0])


def barrier():
    put("/", b"")


def main():
    for verb, *args in REQUEST["job"]["do"]:
        if verb == "item":
            event("item", {"item_type": "page", "data": {"name": args[0]}})
        elif verb == "enqueue":
            event("enqueue", {"target": "says.py", "params": {"name": args[0], "do": args[1]}})
        elif verb == "put":
            put(args[0], args[1].encode())
        elif verb == "artifact":
            data = args[1].encode() * 1000
            half = len(data) // 2
            for seq, part in enumerate((data[:half], data[half:]), 1):
                send(
                    {
                        "type": "artifact_chunk",
                        "artifact_id": args[0],
                        "seq": seq,
                        "is_last": seq == 2,
                        "data": part,
                    }
                )
            meta = {
                "artifact_id": args[0],
                "name": args[0],
                "content_type": "text/plain",
                "size_bytes": len(data),
            }
            event("artifact", meta)
        elif verb == "fail_below" and REQUEST["attempt"] < args[0]:
            event(
                "run_error", {"error_type": "RuntimeError", "message": "it fails now, and not the next time"}
            )
            return 1
        barrier()
    event("run_complete", {})
    return 0


sys.exit(main())
