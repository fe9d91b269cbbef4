#!/usr/bin/env python3
"""A single-shot executor in Python without Quarry; a script defines `async def run(job, emit)`."""

import asyncio
import itertools
import json
import os
import runpy
import sys
import traceback
import uuid
from datetime import UTC, datetime

import msgpack

wire = os.fdopen(os.dup(1), "wb")  # frames go here; whatever the script prints goes to stderr
validating, script = sys.argv[1] == "--validate", sys.argv[-1]


def send(**frame):
    body = msgpack.packb(frame)
    wire.write(len(body).to_bytes(4, "big") + body)
    wire.flush()


def answer(code, **fields):
    wire.write(json.dumps(fields).encode() + b"\n") if validating else send(type="run_result", outcome=fields)
    wire.flush()
    sys.exit(code)


os.dup2(2, 1)
try:
    run = runpy.run_path(script)["run"]
except Exception as error:  # noqa: BLE001
    why = f"{type(error).__name__}: {error}"
    answer(1, valid=False, error=why) if validating else answer(2, status="crash", message=why)
if validating:
    answer(0, valid=True, exports={"default": True, "hooks": []})
request, numbers = json.loads(sys.stdin.buffer.readline()), itertools.count(1)


def emit(kind, **payload):
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    run_of = {"run_id": request["run_id"], "attempt": request["attempt"], "seq": next(numbers), "ts": now}
    send(contract_version="1.0", event_id=str(uuid.uuid4()), type=kind, payload=payload, **run_of)


try:
    asyncio.run(run(request["job"], emit))
except Exception as error:  # noqa: BLE001
    emit("run_error", error_type=type(error).__name__, message=str(error), stack=traceback.format_exc())
    answer(1, status="error", message=str(error), error_type=type(error).__name__)
emit("run_complete")
answer(0, status="completed")
