"""Steps of a delivery: from its claim to the end of its job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarry.scheduler.answers import AdmitAnswer, Claim, RetryAnswer, SettleAnswer
from quarry.scheduler.names import bucket_field
from quarry.scheduler.steps import MAX_BATCH, Steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quarry.scheduler.jobs import NewJob


class DeliverySteps(Steps):
    """Claim, admit, beat, retry, settle."""

    async def claim(self, key: str, token: str) -> Claim:
        """Take a lease that was handed out.

        Args:
            key: Job key, from the message.
            token: Fresh random TOKEN of this delivery; a repeated call uses the same.
        """
        reply = await self._step("claim", (key, token), own_key=key)
        status = reply[0].decode()
        if status != "ok":
            return Claim(status=status)
        return Claim(
            status=status,
            depth=reply[1],
            attempt=reply[2],
            delivery=reply[3],
            last_attempt=bool(reply[4]),
            stopped=bool(reply[5]),
            payload=reply[6].decode(),
            config=reply[7].decode(),
        )

    async def admit(self, key: str, token: str, start: int, batch: Sequence[NewJob]) -> AdmitAnswer:
        """Tell of the delivery's next enqueue events, before its policy sees them.

        Args:
            key: Job key of the delivery.
            token: Its TOKEN.
            start: Position of the first event of the batch in the delivery's enqueue events, from 0.
            batch: Jobs in the order of their events; more than 500 take several steps.
        """
        answer = AdmitAnswer(status="ok", position=start)
        for at in range(0, max(len(batch), 1), MAX_BATCH):
            part = batch[at : at + MAX_BATCH]
            buckets, args = self._batch(part)
            reply = await self._step(
                "admit_v2", (key, token, start + at, len(part), *args), own_key=key, keys=buckets
            )
            answer = AdmitAnswer(status=reply[0].decode(), position=reply[1] if len(reply) > 1 else 0)
            if answer.status != "ok":
                break
        return answer

    async def beat(self, held: Mapping[str, str]) -> list[str]:
        """Renew leases, all of a process in one call (500 a step).

        Args:
            held: TOKEN by job key.

        Returns:
            Keys whose lease is not held any more: end their executors.
        """
        lost: list[str] = []
        leases = list(held.items())
        for at in range(0, len(leases), MAX_BATCH):
            part = leases[at : at + MAX_BATCH]
            reply = await self._step("beat", (len(part), *(text for lease in part for text in lease)))
            lost += [key.decode() for key in reply[1:]]
        return lost

    async def surrender(self, key: str, token: str) -> None:
        """Give a lease back unfinished: the run is delivered again at once; nothing where it is not held.

        Args:
            key: Job key.
            token: TOKEN of the delivery; empty gives back the message of a lease that nobody claimed.
        """
        await self._step("surrender", (key, token), own_key=key)

    async def record_script(self, target: str, sha256: str) -> str:
        """Say which version of a script somebody has; the crawl keeps the first.

        Returns:
            The SHA-256 that the crawl executes.
        """
        reply = await self._step("script", (target, sha256))
        return str(reply[1].decode())

    async def retry(
        self,
        key: str,
        token: str,
        n: int,
        *,
        start: int = 0,
        batch: Sequence[NewJob] = (),
        dropped: int = 0,
        record_token: str | None = None,
    ) -> RetryAnswer:
        """Ask for another attempt, after the failed one's record was put.

        Args:
            key: Job key.
            token: TOKEN of the delivery that holds the lease.
            n: Enqueue events of the attempt, by the record of it that stands.
            start: Position of the batch.
            batch: Events that the ledger said are missing (``more``), at most 500.
            dropped: Events behind the batch that the policy dropped: they are in n, not in the data.
            record_token: TOKEN of that record where it is of an earlier delivery of the attempt.
        """
        buckets, args = self._batch(batch)
        reply = await self._step(
            "retry_v2",
            (key, token, record_token or token, n, start, dropped, len(batch), *args),
            own_key=key,
            keys=buckets,
        )
        return RetryAnswer(status=reply[0].decode(), position=reply[1] if len(reply) > 1 else 0)

    async def settle(
        self,
        key: str,
        *,
        token: str,
        n: int,
        succeeded: bool,
        attempt: int,
        depth: int,
        below: int = 0,
        start: int = 0,
        batch: Sequence[NewJob] = (),
        dropped: int = 0,
    ) -> SettleAnswer:
        """End a job by the final record that stands, whoever put it.

        Args:
            key: Job key.
            token: TOKEN of the record.
            n: Enqueue events of the record (0 for ``lost``).
            succeeded: Its outcome.
            attempt: Its attempt.
            depth: Its depth.
            below: Enqueue events of the records of all attempts below it.
            start: Position of the batch in the record's enqueue events.
            batch: Events that the ledger said are missing (``more``), at most 500.
            dropped: Events behind the batch that the policy dropped: they are in n, not in the data.
        """
        buckets, args = self._batch(batch)
        reply = await self._step(
            "settle_v2",
            (
                *(key, bucket_field(key), token, n, int(succeeded), attempt, depth),
                *(start, dropped, below, len(batch)),
                *args,
            ),
            own_key=key,
            keys=buckets,
        )
        status = reply[0].decode()
        if status != "more" and reply[2]:
            status = "closed"
        return SettleAnswer(status=status, position=reply[1])
