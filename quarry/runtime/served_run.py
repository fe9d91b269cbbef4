"""One run in an executor process that serves others beside it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from quarry.errors import ProtocolError
from quarry.ipc import Cancel, Credit, RunResultFrame, StderrFrame
from quarry.runtime.inbox import Inbox
from quarry.runtime.process import GRACE_S
from quarry.runtime.spec import make_request
from quarry.runtime.stopping import CANCELLED, stopping

if TYPE_CHECKING:
    from quarry.ipc import Frame
    from quarry.runtime.serving import ServingProcess
    from quarry.runtime.session import RunSession

_CREDIT_DELAY_S = 0.02


class ServedRun:
    """Carry one run from its request to its ``run_result``, or to the end of its process.

    Args:
        session: The run's state.
        server: The process that shall run it.
        credit_bytes: Its window.
    """

    def __init__(self, session: RunSession, server: ServingProcess, *, credit_bytes: int) -> None:
        self.run_id = session.spec.identity.run_id
        self.redactor = session.redactor
        self._session = session
        self._server = server
        self._credit_bytes = credit_bytes
        self._inbox = Inbox(credit_bytes)
        self._fault: ProtocolError | None = None
        self._owed = 0
        self._credit_timer: asyncio.TimerHandle | None = None
        self._kill_timer: asyncio.TimerHandle | None = None

    async def to_end(self, cancel: asyncio.Event | None) -> None:
        """Ask for the run, and store what it sends until it has ended.

        A run that has to be stopped gets a cancel frame; when it has not ended after the grace, its process
        is killed, and its neighbours with it. Where this is cancelled, ``wind_down`` must follow.
        """
        self._server.attach(self)
        try:
            self._server.send(make_request(self._session.spec, credit_bytes=self._credit_bytes))
            with stopping(self._session.spec.timeout_ms, cancel, self._stop):
                await self._store_all()
        except asyncio.CancelledError:
            raise
        except ProtocolError as error:  # the request is larger than a frame may be
            self._session.fault(error)
        except BaseException:
            self._detach()
            raise
        self._detach()

    async def wind_down(self) -> None:
        """Wait for the end of a run whose ``to_end`` was cancelled; nothing of it is stored any more."""
        try:
            self._stop(CANCELLED)
            if self._session.result is None:
                await self._store_all()
        finally:
            self._detach()

    def abandon(self) -> None:
        """Note that the run is being cancelled together with its process."""
        if self._session.stopped is None:
            self._session.stopped = CANCELLED

    def _detach(self) -> None:
        for timer in (self._credit_timer, self._kill_timer):
            if timer is not None:
                timer.cancel()
        self._server.detach(self)

    def deliver(self, frame: Frame, size: int) -> None:
        """Take a frame from the process's reader; never waits, and bounded by the run's credit."""
        if isinstance(frame, StderrFrame):
            self._session.stderr.write(frame.text.encode(errors="replace"))
            return
        if isinstance(frame, RunResultFrame):
            size = 0
        elif self._fault is not None:
            self._owe(size)
            return
        elif not self._inbox.fits(size):
            self._fault = ProtocolError(f"the run sent more than its credit of {self._credit_bytes} bytes")
            self._inbox.wake()
            return
        self._inbox.put(frame, size)

    def process_ended(self) -> None:
        """Learn that the process is gone."""
        self._inbox.wake()

    async def _store_all(self) -> None:
        session, inbox, server = self._session, self._inbox, self._server
        while True:
            frames, size = inbox.take()
            if frames:
                acks = await session.process(frames)
                inbox.release(size)
                if acks:
                    server.send(*acks)
                if session.result is not None:
                    return
                self._owe(size)
                if session.failed:
                    self._request_end()
            elif self._fault is not None and not session.failed:
                session.fault(self._fault)
                self._request_end()
            elif server.lost is not None:
                return
            else:
                await inbox.wait()

    def _owe(self, size: int) -> None:
        """Give credit back: at once where it is much, else a little later, with what comes meanwhile.

        Most runs are over before the timer, and need no credit frame at all.
        """
        self._owed += size
        if self._owed * 4 >= self._credit_bytes:
            self._give_credit()
        elif self._owed and self._credit_timer is None:
            loop = asyncio.get_running_loop()
            self._credit_timer = loop.call_later(_CREDIT_DELAY_S, self._give_credit)

    def _give_credit(self) -> None:
        if self._credit_timer is not None:
            self._credit_timer.cancel()
            self._credit_timer = None
        if self._owed:
            self._server.send(Credit(run_id=self.run_id, bytes=self._owed))
            self._owed = 0

    def _stop(self, reason: str) -> None:
        if self._session.stopped is None:
            self._session.stopped = reason
        self._request_end()

    def _request_end(self) -> None:
        """Ask the executor to end the run; insist after the grace."""
        if self._kill_timer is not None:
            return
        server = self._server
        server.retiring = server.retiring or "a run had to be cancelled"
        server.send(Cancel(run_id=self.run_id))
        self._kill_timer = asyncio.get_running_loop().call_later(
            GRACE_S, server.kill_nowait, f"run {self.run_id} did not end when it was told to"
        )
