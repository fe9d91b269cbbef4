"""Parts of the protocol taken out, each by its name: the suite must notice. Never in the product's code."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from quarry.scheduler import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarry.lode import CommitRecord, Dataset
    from quarry.lode.disk import Disk


def take_out(name: str) -> None:
    """Take a part out of this worker process; the empty name takes nothing.

    Raises:
        KeyError: There is no such switch.
    """
    if name:
        SWITCHES[name]()


def _create_only() -> None:
    """A record is put over the one that stands."""
    from quarry.lode.disk import Disk

    def overwrite(self: Disk, rel: str, data: bytes, *, temp: str) -> bool:
        self.write_whole(rel, data, temp=temp)
        self.sync_folder(rel.rpartition("/")[0])
        return True

    Disk.create_only = overwrite  # type: ignore[method-assign]


def _deterministic_ids() -> None:
    """Each delivery makes up its own run id."""
    from quarry.crawl import records

    def random_id(crawl: str, key: str, attempt: int) -> str:
        del crawl, key, attempt
        return str(uuid.uuid4())

    records.derived_run_id = random_id  # type: ignore[assignment]


def _adoption() -> None:
    """Whoever finds a record there believes in its own, keeps its files and settles by it."""
    from quarry.lode import Dataset

    put = Dataset.put_record

    def put_and_believe(self: Dataset, record: CommitRecord) -> CommitRecord:
        put(self, record)
        return record

    Dataset.put_record = put_and_believe  # type: ignore[method-assign]


def _reaper() -> None:
    """Nobody looks after what was lost."""
    from quarry.crawl import service

    async def rest(*_: Any, **__: Any) -> bool:
        return False

    service.reap = rest  # type: ignore[assignment]


def _claim() -> None:
    """A lease that another holds is given away again."""
    from quarry.scheduler.answers import Claim

    claim = Ledger.claim

    async def give(self: Ledger, key: str, token: str) -> Claim:
        answer = await claim(self, key, token)
        if answer.status != "busy":
            return answer
        names = self._names.fixed
        text = await self._client.hget(names[2], key)
        payload = await self._client.hget(names[3], key)
        if text is None or payload is None:
            return answer
        job = json.loads(text)
        return Claim(
            status="ok", depth=job["d"], attempt=job["a"], delivery=max(job["v"], 1), payload=payload.decode()
        )

    Ledger.claim = give  # type: ignore[method-assign]


SWITCHES: dict[str, Callable[[], None]] = {
    "create-only": _create_only,
    "deterministic-ids": _deterministic_ids,
    "adoption": _adoption,
    "reaper": _reaper,
    "claim": _claim,
}
"""What can be taken out, by name."""

SHOWN_BY = {
    "create-only": "half-open",
    "deterministic-ids": "worker-kill",
    "adoption": "half-open",
    "reaper": "worker-kill",
    "claim": "messages-twice",
}
"""The fault under which the lack of each shows."""
