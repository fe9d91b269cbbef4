"""Where the roots of a crawl come from, kept so that a seeder that died can be followed by another."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from quarry.crawl.children import make_job, queue_of
from quarry.crawl.plan import JobPayload
from quarry.crawl.seeds import SeedReader, in_batches
from quarry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from quarry.crawl.plan import CrawlPlan
    from quarry.crawl.seeding import SeedBatch
    from quarry.scheduler import NewJob

_FILE = "seeding.json"


class Roots(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The roots of one crawl.

    Attributes:
        seeder: Random name of the seeding; makes a repeated first batch recognisable.
        root: Payload of the one root; with ``seeds`` the template of all, without params.
        seeds: Absolute path of the checked seed file.
        payloads: Absolute path of a file with one payload a line, in place of ``root`` (``quarry retry``).
        size: Bytes of that file when it was checked.
        mtime_ns: Its time of change then.
    """

    seeder: str
    root: JobPayload | None = None
    seeds: str | None = None
    payloads: str | None = None
    size: int = 0
    mtime_ns: int = 0

    @classmethod
    def of(
        cls,
        *,
        seeder: str,
        root: JobPayload | None = None,
        seeds: str | None = None,
        payloads: str | None = None,
    ) -> Roots:
        """Make roots, and note what their file looks like now."""
        path = seeds or payloads
        info = os.stat(path) if path else None
        return cls(
            seeder=seeder,
            root=root,
            seeds=seeds,
            payloads=payloads,
            size=info.st_size if info else 0,
            mtime_ns=info.st_mtime_ns if info else 0,
        )

    def batches(self, plan: CrawlPlan, *, start: int = 0) -> Iterable[SeedBatch]:
        """Give the roots from an offset on, in batches of at most 500.

        Args:
            plan: The crawl.
            start: Seeds that the ledger has received.
        """
        if self.payloads is not None:
            return in_batches(_payload_jobs(self.payloads, plan, start), start=start)
        assert self.root is not None  # noqa: S101 -- one of the two is given
        queue = queue_of(plan, self.root.target)
        if self.seeds is not None:
            reader = SeedReader(self.seeds, template=self.root, first_attempt=plan.first_attempt, queue=queue)
            return reader.batches(start)
        job = make_job(self.root, depth=0, first_attempt=plan.first_attempt, queue=queue)
        return [(0, 1, [job], True)] if start == 0 else [(1, 1, [], True)]

    def save(self, folder: Path) -> None:
        """Keep them in the crawl's state folder, whole or not at all; what is there is never replaced.

        Raises:
            ConfigError: Roots are kept there already, or the folder can't be written.
        """
        path, new = folder / _FILE, folder / f"{self.seeder}.tmp"
        try:
            with new.open("wb") as file:
                file.write(msgspec.json.encode(self))
                file.flush()
                os.fsync(file.fileno())
            os.link(new, path)
        except FileExistsError as error:
            raise ConfigError(
                f"{path}: another command keeps the seeds of a crawl of that id there; choose another id"
            ) from error
        except OSError as error:
            raise ConfigError(f"{path} can't be written: {error.strerror}") from error
        finally:
            new.unlink(missing_ok=True)


def roots_are_kept(folder: Path) -> bool:
    """Say whether a state folder keeps roots of any crawl, readable or not."""
    return os.path.lexists(folder / _FILE)


def drop_roots(folder: Path) -> None:
    """Forget what `Roots.save` kept; the seeds themselves stay."""
    (folder / _FILE).unlink(missing_ok=True)


def kept_seeder(folder: Path) -> str | None:
    """Name the seeder whose roots a state folder keeps; None where it keeps none that can be read."""
    roots = _read(folder)
    return roots.seeder if roots is not None else None


def load_roots(folder: Path, *, seeder: str) -> Roots | None:
    """Load what `Roots.save` kept; None where nothing was, or another crawl's roots are.

    Args:
        folder: State folder of the crawl.
        seeder: Whose roots, as the ledger says.

    Raises:
        ConfigError: The seed file is gone, or another one than it was.
    """
    roots = _read(folder)
    if roots is None or roots.seeder != seeder:
        return None
    path = roots.seeds or roots.payloads
    if path is None:
        return roots
    try:
        info = os.stat(path)
    except OSError as error:
        raise ConfigError(
            f"{path}: the seeds of this crawl are gone ({error.strerror}); put the file back, or stop the"
            " crawl"
        ) from error
    if (info.st_size, info.st_mtime_ns) != (roots.size, roots.mtime_ns):
        raise ConfigError(
            f"{path}: changed since the crawl began, and its seeding goes by line; put the old file back"
            " (with its time: cp -p), or stop the crawl"
        )
    return roots


def _read(folder: Path) -> Roots | None:
    try:
        return msgspec.json.decode((folder / _FILE).read_bytes(), type=Roots)
    except (OSError, msgspec.MsgspecError):
        return None


def _payload_jobs(path: str, plan: CrawlPlan, start: int) -> Iterator[NewJob]:
    with open(path, "rb") as file:
        for line in islice(file, start, None):
            payload = msgspec.json.decode(line, type=JobPayload)
            yield make_job(payload, depth=0, queue=queue_of(plan, payload.target))
