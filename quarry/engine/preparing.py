"""What a new crawl needs before its engine starts, in an order that harms no crawl of the same id."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quarry.crawl.roots import roots_are_kept
from quarry.engine.state import crawl_folder, drop_unsaved, keep_payloads, make_folder, make_roots
from quarry.errors import ConfigError
from quarry.wiring import check_new_crawl, make_dataset, make_plan, make_root

if TYPE_CHECKING:
    from pathlib import Path

    from quarry.config import Settings
    from quarry.crawl.plan import CrawlPlan, JobPayload
    from quarry.crawl.roots import Roots
    from quarry.lode import Dataset


@dataclass(frozen=True)
class Prepared:
    """A crawl that can be begun.

    Attributes:
        plan: The crawl.
        folder: Its state folder; it is there.
        roots: Its roots, kept but not saved.
        dataset: Its storage, open for writing.
    """

    plan: CrawlPlan
    folder: Path
    roots: Roots
    dataset: Dataset


def prepare(settings: Settings, crawl: str, payloads: list[JobPayload] | None) -> Prepared:
    """Prepare a new crawl, outside of an event loop: an interrupt ends a read from standard input at once.

    Args:
        settings: The command's settings.
        crawl: Its id.
        payloads: Its roots, where they are not the settings' (``quarry retry``).

    Raises:
        ConfigError: The id is taken, here or in the storage, or the seeds are wrong; nothing is written.
        StoreError: The storage can't be written.
    """
    plan = make_plan(
        settings, crawl=crawl, now=time.time(), seeded=settings.seeds is not None or payloads is not None
    )
    folder = crawl_folder(settings.state_dir, crawl)
    _check_folder(settings, crawl, folder)
    check_new_crawl(settings, plan)
    if payloads is not None:
        roots = keep_payloads(folder, payloads)
    else:
        roots = make_roots(settings, make_root(settings, plan), folder)
    try:
        dataset = make_dataset(settings, plan)
        make_folder(folder)
    except BaseException:
        drop_unsaved(folder, roots)
        raise
    return Prepared(plan, folder, roots, dataset)


def _check_folder(settings: Settings, crawl: str, folder: Path) -> None:
    """Refuse an id whose seeds are kept here: whoever goes on with that crawl needs them as they are."""
    if not roots_are_kept(folder):
        return
    if settings.broker is not None:
        ways = (
            f"quarry run --attach {crawl} goes on with it, and quarry forget {crawl} removes it once it has"
            " ended"
        )
    else:
        ways = f"quarry run --resume {crawl} goes on with it, unless a command is still running crawl {crawl}"
    raise ConfigError(
        f"--run-id {crawl}: a crawl of that id was begun on this machine, and {folder} keeps its seeds;"
        f" {ways}. Choose another --run-id, or remove that folder where nobody knows the crawl any more"
    )
