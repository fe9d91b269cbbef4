"""Steps of a crawl as a whole: seeding, looking after what was lost, stopping, closing."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from quarry.scheduler.answers import CloseLease, ExpireAnswer, Owed, SeedAnswer, StopAnswer
from quarry.scheduler.steps import MAX_BATCH, Steps

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from quarry.scheduler.jobs import Bounds, NewJob

EXPIRE_AFTER_MS = 7 * 24 * 3600 * 1000
"""How long a closed crawl stays in Redis, unless told otherwise: seven days."""

_OWED_FIELDS = 7


class CrawlSteps(Steps):
    """Seed, expire, stop, begin_close, close, announce."""

    async def seed(
        self,
        batch: Sequence[NewJob],
        *,
        seeder: str,
        start: int,
        end: int,
        bounds: Bounds,
        final: bool,
        duplicates_of_input: int = 0,
    ) -> SeedAnswer:
        """Receive a batch of roots; the first one creates the crawl.

        Args:
            batch: Jobs in the order of their lines, at most 500.
            seeder: Id of this seeding; only whose it is may repeat the first batch.
            start: Seed lines consumed before the batch; must be the ledger's offset.
            end: Seed lines consumed with it.
            bounds: Of the crawl; only the first batch's count.
            final: Whether nothing follows: the seeding hold ends.
            duplicates_of_input: Lines of the batch that the caller left out because they repeat earlier ones.

        Raises:
            LedgerMissingError: A later batch finds no crawl.
        """
        buckets, args = self._batch(batch)
        reply = await self._step(
            "seed_v2",
            (
                *(seeder, start, end, int(final), duplicates_of_input, len(batch)),
                *(_bound(bounds.depth), _bound(bounds.max_runs), bounds.parallel),
                *(bounds.max_attempts, bounds.max_redeliveries),
                *(bounds.lease_ms, bounds.claim_ms, bounds.grace_ms, bounds.config),
                *args,
            ),
            keys=buckets,
        )
        return SeedAnswer(
            status=reply[0].decode(),
            offset=reply[1],
            admitted=reply[2],
            unread=reply[3],
            capped=bool(reply[4]),
            idle=bool(reply[5]),
        )

    async def expire(self, limit: int = 100) -> ExpireAnswer:
        """Look after what was lost, and hand out leases that were left over.

        Args:
            limit: Jobs of each kind in one call.

        Returns:
            What was done, and the jobs for which the caller now puts a record and settles.
        """
        reply = await self._step("expire_v2", (limit,))
        owed = [
            Owed(
                key=key.decode(),
                attempt=attempt,
                deliveries=deliveries,
                token=token.decode(),
                depth=depth,
                reason=reason.decode(),
                payload=payload.decode(),
            )
            for key, attempt, deliveries, token, depth, reason, payload in (
                reply[at : at + _OWED_FIELDS] for at in range(4, len(reply), _OWED_FIELDS)
            )
        ]
        return ExpireAnswer(republished=reply[1], requeued=reply[2], owed=owed, idle=bool(reply[3]))

    async def abandon(self) -> int:
        """Let every lease lapse now: whoever could hold one is known to be dead.

        Returns:
            Leases that the next `expire` delivers again.
        """
        reply = await self._step("abandon")
        return int(reply[1])

    async def stop(self, reason: str = "asked", *, now: bool = False) -> StopAnswer:
        """Stop the crawl: nothing more is handed out, pending jobs end, what executes goes on.

        Args:
            reason: Why; the first stop's is kept.
            now: Whether what executes ends too: its lease is taken, and `expire` tells who owes its record.
        """
        ended = 0
        while True:
            reply = await self._step("stop_v2", (MAX_BATCH, reason, int(now)))
            ended += reply[1]
            if not reply[2]:
                return StopAnswer(status=reply[0].decode(), not_executed=ended, idle=bool(reply[3]))

    async def begin_close(self, holder: str, ttl_ms: int) -> CloseLease:
        """Ask to compare records and ledger, the last thing before the close.

        Args:
            holder: Random id of the caller.
            ttl_ms: How long nobody else may; a caller that died is waited for no longer.
        """
        reply = await self._step("begin_close", (holder, ttl_ms))
        return CloseLease(status=reply[0].decode(), revision=reply[1])

    async def close(self, holder: str, revision: int, *, expire_after_ms: int = EXPIRE_AFTER_MS) -> str:
        """Close the crawl; from now on its keys expire.

        Args:
            holder: As given to `begin_close`.
            revision: As answered by it.
            expire_after_ms: How long the ledger stays readable.

        Returns:
            ``ok``, ``already``, ``changed`` (begin again), or ``not_idle``.
        """
        reply = await self._step("close", (holder, revision, expire_after_ms))
        status: str = reply[0].decode()
        if status in {"ok", "already"}:
            await self._retire(expire_after_ms)
        return status

    async def announce(self, holder: str, *, expire_after_ms: int = EXPIRE_AFTER_MS) -> bool:
        """Say whether it is this caller who tells of the completion: true for exactly one.

        Args:
            holder: As given to `begin_close`.
            expire_after_ms: As given to `close`.
        """
        reply = await self._step("announce", (holder,))
        first = reply[0] == b"ok" and bool(reply[1])
        if first:
            # Whoever closed may have died before the buckets were told to expire.
            await self._retire(expire_after_ms)
        return first

    async def forget(self) -> bool:
        """Remove what Redis keeps of a closed crawl; false, and nothing is removed, where it is open.

        Raises:
            LedgerMissingError: There is no such crawl.
        """
        buckets = await self._used_buckets()
        parts = [buckets[at : at + MAX_BATCH] for at in range(0, len(buckets), MAX_BATCH)] or [[]]
        for part in parts:
            reply = await self._step("forget", (int(part is parts[-1]),), keys=part)
            if reply[0] == b"open":
                return False
        return True

    async def _used_buckets(self) -> list[str]:
        bitmap = await self._retrier.run(
            lambda: cast("Awaitable[bytes | None]", self._client.get(self._names.used))
        )
        return self._names.buckets_in(bitmap or b"")

    async def _retire(self, expire_after_ms: int) -> None:
        """Let the buckets of seen keys expire too; repeated by everyone who finds the crawl closed."""
        buckets = await self._used_buckets()
        for at in range(0, len(buckets), MAX_BATCH):
            await self._step("retire", (expire_after_ms,), keys=buckets[at : at + MAX_BATCH])


def _bound(value: int | None) -> int:
    return -1 if value is None else value
