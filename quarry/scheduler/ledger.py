"""The ledger of one crawl: the only truth about its work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarry.redisio import RedisUnavailableError, make_durable
from quarry.scheduler.answers import LedgerState
from quarry.scheduler.crawl import CrawlSteps
from quarry.scheduler.delivery import DeliverySteps
from quarry.scheduler.names import bucket_field
from quarry.scheduler.steps import MAX_BATCH
from quarry.types import Counts, new_token

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCRIPT = "script:"


class Ledger(DeliverySteps, CrawlSteps):
    """All steps of a crawl (see `DeliverySteps` and `CrawlSteps`), and what can be read of it.

    Steps raise `LedgerMissingError` where the crawl is not in this Redis, and create nothing there.
    """

    async def counts(self) -> Counts:
        """Read all counters at one moment."""
        reply = await self._step("counts")
        read = {name.decode(): int(value) for name, value in _pairs(reply)}
        return Counts(**{name: read.get(name, 0) for name in Counts.__struct_fields__})

    async def state(self) -> LedgerState:
        """Read what the crawl is and where it stands; raises nothing where there is none."""
        reply = await self._step("state_v2", missing_ok=True)
        if reply[0] == b"missing":
            return LedgerState(exists=False)
        read = {name.decode(): value.decode() for name, value in _pairs(reply)}
        return LedgerState(
            exists=True,
            status=read["status"],
            stopped="stopped_ms" in read,
            revision=int(read.get("revision", 0)),
            offset=int(read["offset"]),
            capped=read["capped"] == "1",
            seeder=read["seeder"],
            config=read["config"],
            depth=_bound(read["depth"]),
            max_runs=_bound(read["max_runs"]),
            parallel=int(read["parallel"]),
            max_attempts=int(read["max_attempts"]),
            max_redeliveries=int(read["max_redeliveries"]),
            created_ms=int(read["created_ms"]),
            closed_ms=int(read["closed_ms"]) if "closed_ms" in read else None,
            announced="announced" in read,
            now_ms=int(read["now_ms"]),
            stop_reason=read.get("stop_reason", ""),
            lease_ms=int(read["lease_ms"]),
            closer=read.get("close_holder", ""),
            close_until_ms=int(read.get("close_until_ms", 0)),
            peak_leased=int(read.get("peak_leased", 0)),
            scripts={
                name.removeprefix(_SCRIPT): sha256
                for name, sha256 in read.items()
                if name.startswith(_SCRIPT)
            },
        )

    async def unclaimed(self) -> int:
        """Count the leases that were handed out and that no worker has claimed yet."""
        return await self._retrier.run(lambda: self._client.zcard(self._names.unclaimed))

    async def statuses(self, keys: Sequence[str]) -> dict[str, str]:
        """Say where jobs stand.

        Args:
            keys: Job keys, any number (500 a step).

        Returns:
            By key: ``unknown``, ``pending``, ``leased``, ``committing``, ``succeeded``, ``failed`` or
            ``not_executed``.
        """
        found: dict[str, str] = {}
        for at in range(0, len(keys), MAX_BATCH):
            part = keys[at : at + MAX_BATCH]
            args = (text for key in part for text in (key, bucket_field(key)))
            reply = await self._step(
                "statuses", (len(part), *args), keys=[self._names.bucket(key) for key in part]
            )
            found.update((key, status.decode()) for key, status in zip(part, reply[1:], strict=True))
        return found

    async def make_durable(self) -> None:
        """Return when all that was written before is in the synced append-only file.

        Raises:
            RedisUnavailableError: Redis lost steps meanwhile, or did not sync in time.
        """
        known = (await self.state()).revision
        mark = new_token()

        async def write() -> None:
            reply = await self._step("touch", (mark,))
            if reply[1] < known:
                raise RedisUnavailableError(
                    f"Redis restarted and lost the last steps of crawl {self._crawl} before they were on disk"
                )

        async def read() -> bool:
            reply = await self._step("state_v2")
            return dict(_pairs(reply)).get(b"durable_mark") == mark.encode()

        async with self._syncing:
            await self._retrier.run(
                lambda: make_durable(self._client, write=write, read=read, token=self._sync_token)
            )


def _pairs(reply: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(reply[1::2], reply[2::2], strict=True))


def _bound(text: str) -> int | None:
    return None if text == "-1" else int(text)
