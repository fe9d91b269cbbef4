"""The workers' deliverer: production's, which also says in its log what it claimed and how that ended.

With neither a storage fault nor a switch, what runs is what `quarry.wiring.make_deliverer` makes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import structlog

from quarry.scheduler import Ledger
from quarry.wiring import make_deliverer
from tests.chaos.storage import disturb_storage
from tests.chaos.switches import take_out

if TYPE_CHECKING:
    from quarry.scheduler import Claim
    from quarry.tasks.deliverer import Deliverer


class Watched:
    """Passes everything on, and logs what a delivery came to."""

    def __init__(self, inner: Deliverer) -> None:
        self._inner = inner
        self._log = structlog.get_logger("chaos")

    async def start(self) -> None:
        await self._inner.start()

    async def deliver(self, crawl: str, key: str) -> dict[str, Any]:
        shown: dict[str, Any] = {"outcome": "raised"}
        try:
            shown = await self._inner.deliver(crawl, key)
        finally:
            self._log.info(
                "chaos.delivered",
                key=key,
                outcome=shown.get("outcome"),
                how=shown.get("how"),
                pid=os.getpid(),
            )
        return shown

    async def stop(self, grace_s: float) -> None:
        await self._inner.stop(grace_s)


def make_watched_deliverer(broker_url: str, concurrency: int) -> Watched:
    """Make the deliverer of one worker process (see `quarry.wiring.make_deliverer`)."""
    disturb_storage()
    take_out(os.environ.get("CHAOS_SWITCH", ""))
    _log_claims()
    return Watched(make_deliverer(broker_url, concurrency))


def _log_claims() -> None:
    """Say in the log which TOKEN was given which lease."""
    log = structlog.get_logger("chaos")
    claim = Ledger.claim

    async def logged(self: Ledger, key: str, token: str) -> Claim:
        answer = await claim(self, key, token)
        if answer.status == "ok":
            log.info(
                "chaos.claimed",
                key=key,
                token=token,
                attempt=answer.attempt,
                delivery=answer.delivery,
                pid=os.getpid(),
            )
        return answer

    Ledger.claim = logged  # type: ignore[method-assign]
