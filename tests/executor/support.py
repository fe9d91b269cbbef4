"""Drive a real executor process over its wire, in both modes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import defaultdict
from pathlib import Path

from quarry.ipc import (
    ArtifactChunk,
    Cancel,
    Credit,
    FileWrite,
    FileWriteAck,
    FrameDecoder,
    Hello,
    ProxyFrame,
    RunRequest,
    RunResultFrame,
    StderrFrame,
    encode_frame,
)
from quarry.types import Event

DEADLINE_S = 30.0


def write_script(folder, source, name="script.py"):
    """Write a script and give its path as text."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    return str(path)


class Result:
    """What a single-shot run said and how it ended."""

    def __init__(self, code, stdout, stderr):
        self.code = code
        self.stderr = stderr
        decoder = FrameDecoder(serving=False)
        self.frames = [frame for frame, _ in decoder.feed(stdout)] if stdout else []
        decoder.close()

    @property
    def events(self):
        return [frame for frame in self.frames if isinstance(frame, Event)]

    @property
    def types(self):
        return [event.type for event in self.events]

    def items(self):
        return [event.payload["data"] for event in self.events if event.type == "item"]

    def logs(self):
        return [event.payload for event in self.events if event.type == "log"]

    @property
    def outcome(self):
        assert isinstance(self.frames[-1], RunResultFrame), self.frames[-1:]
        return self.frames[-1].outcome


async def run_single(
    script,
    *,
    job=None,
    ack=None,
    rotate=None,
    env=None,
    request=None,
    close_stdin=False,
    cwd=None,
    end_when=None,
):
    """Run a script single-shot.

    Args:
        script: Path.
        job: Its job.
        ack: Function from a FileWrite to (ok, key or error); None: all puts succeed.
        rotate: Function that gives the ``proxy`` of the answer to each ``rotate_proxy``; None: no answers.
        env: Added to the environment.
        request: The whole request instead; bytes are sent as they are.
        close_stdin: End stdin after the request.
        cwd: Working directory of the executor.
        end_when: Function of the events so far; once it is true, the executor is told to end.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "quarry.executor", script),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), **(env or {})},
        cwd=cwd,
        start_new_session=True,
    )
    if request is None:
        request = {"run_id": "run-1", "attempt": 1, "job": job if job is not None else {}}
    line = request if isinstance(request, bytes) else json.dumps(request).encode() + b"\n"
    process.stdin.write(line)
    if close_stdin or isinstance(request, bytes):
        process.stdin.close()
    decoder, taken, events = FrameDecoder(serving=False), bytearray(), []

    async def read():
        while data := await process.stdout.read(1 << 18):
            taken.extend(data)
            for frame, _ in decoder.feed(data):
                if isinstance(frame, Event):
                    events.append(frame)
                if isinstance(frame, FileWrite) and not process.stdin.is_closing():
                    ok, text = ack(frame) if ack else (True, f"files/{frame.filename}")
                    answer = {"key": text} if ok else {"error": text}
                    process.stdin.write(encode_frame(FileWriteAck(write_id=frame.write_id, ok=ok, **answer)))
                elif isinstance(frame, Event) and frame.type == "rotate_proxy" and rotate is not None:
                    process.stdin.write(encode_frame(ProxyFrame(run_id=frame.run_id, proxy=rotate())))

    async def tell_to_end():
        while end_when is not None and process.returncode is None:
            if end_when(events):
                process.send_signal(signal.SIGTERM)
                return
            await asyncio.sleep(0.01)

    try:
        async with asyncio.timeout(DEADLINE_S):
            _, stderr, _ = await asyncio.gather(read(), process.stderr.read(), tell_to_end())
            code = await process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.stdin.close()
        with contextlib.suppress(ConnectionError):
            await process.stdin.wait_closed()
    return Result(code, bytes(taken), stderr.decode())


class Serving:
    """A serving executor; remembers every frame by run, and pays credit as told.

    Args:
        capacity: Of the executor.
        env: Added to the environment.
        pay: Acknowledge what a run sent at once; else only by `pay_all`.
    """

    def __init__(self, *, capacity=64, env=None, pay=True):
        self._capacity = capacity
        self._env = env or {}
        self.pay = pay
        self.frames = defaultdict(list)
        self.sizes = defaultdict(int)
        self.outstanding = defaultdict(int)
        self.most_outstanding = defaultdict(int)
        self.hello = None
        self.log = ""
        self._changed = asyncio.Condition()
        self.ack = lambda write: (True, f"files/{write.filename}")

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "quarry.executor", "--serve", "--capacity", str(self._capacity)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path.cwd()), **self._env},
            start_new_session=True,
        )
        self._readers = [asyncio.create_task(self._read()), asyncio.create_task(self._read_log())]
        await self.until(lambda: self.hello is not None)
        return self

    async def __aexit__(self, *_):
        self.process.stdin.close()
        try:
            async with asyncio.timeout(DEADLINE_S):
                self.code = await self.process.wait()
                await asyncio.gather(*self._readers)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            with contextlib.suppress(ConnectionError):
                await self.process.stdin.wait_closed()

    def start(self, run_id, script, *, job=None, credit_bytes=None, **fields):
        """Ask for a run."""
        request = {"attempt": 1, "depth": 0, "root_run_id": run_id, **fields}
        self.send(
            RunRequest(
                run_id=run_id,
                job={} if job is None else job,
                script=script,
                credit_bytes=credit_bytes,
                **request,
            )
        )

    def cancel(self, run_id):
        """Cancel a run."""
        self.send(Cancel(run_id=run_id))

    def send(self, frame):
        """Send any frame."""
        self.process.stdin.write(encode_frame(frame))

    def pay_all(self, run_id):
        """Acknowledge what a run has outstanding."""
        owed = self.outstanding.pop(run_id, 0)
        if owed:
            self.send(Credit(run_id=run_id, bytes=owed))

    async def until(self, condition, what="the condition"):
        """Wait until something holds; frames that arrive are looked at in between."""
        try:
            async with asyncio.timeout(DEADLINE_S), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            raise AssertionError(f"{what} did not come about; log: {self.log[-2000:]}") from None

    async def ended(self, *run_ids):
        """Wait for the results of runs; gives the outcome of the last."""
        for run_id in run_ids:
            await self.until(lambda run_id=run_id: self.result(run_id) is not None, f"the end of {run_id}")
        return self.result(run_ids[-1]).outcome

    def result(self, run_id):
        """The result frame of a run, or None."""
        found = [frame for frame in self.frames[run_id] if isinstance(frame, RunResultFrame)]
        assert len(found) <= 1
        return found[0] if found else None

    def events(self, run_id):
        """Events of a run, in order."""
        return [frame for frame in self.frames[run_id] if isinstance(frame, Event)]

    def items(self, run_id):
        """Data of the items of a run."""
        return [event.payload["data"] for event in self.events(run_id) if event.type == "item"]

    def chunks(self, run_id):
        """Chunks of a run."""
        return [frame for frame in self.frames[run_id] if isinstance(frame, ArtifactChunk)]

    def printed(self, run_id):
        """What a run printed."""
        return "".join(frame.text for frame in self.frames[run_id] if isinstance(frame, StderrFrame))

    async def _read(self):
        decoder = FrameDecoder()
        while data := await self.process.stdout.read(1 << 18):
            for frame, size in decoder.feed(data):
                self._take(frame, size)
            async with self._changed:
                self._changed.notify_all()
        decoder.close()

    def _take(self, frame, size):
        if isinstance(frame, Hello):
            self.hello = frame
            return
        run_id = frame.run_id
        self.frames[run_id].append(frame)
        if isinstance(frame, RunResultFrame | StderrFrame):
            return
        self.sizes[run_id] += size
        self.outstanding[run_id] += size
        self.most_outstanding[run_id] = max(self.most_outstanding[run_id], self.outstanding[run_id])
        if isinstance(frame, FileWrite):
            ok, text = self.ack(frame)
            answer = {"key": text} if ok else {"error": text}
            self.send(FileWriteAck(write_id=frame.write_id, ok=ok, run_id=run_id, **answer))
        if self.pay:
            self.pay_all(run_id)

    async def _read_log(self):
        while data := await self.process.stderr.read(1 << 16):
            self.log += data.decode(errors="replace")
