"""What callers of the reader may choose runs by."""

from __future__ import annotations

import msgspec

from quarry.errors import ConfigError
from quarry.types import OutcomeStatus


class CrawlInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One crawl of a dataset.

    Attributes:
        crawl: Its id.
        day: UTC day on which it began.
        records: Final records, one a job.
        attempts: Records of attempts, those that readers ignore included.
        closed: Whether its summary is written.
    """

    crawl: str
    day: str
    records: int
    attempts: int
    closed: bool


def wanted_states(state: str | None) -> set[OutcomeStatus]:
    """Give the outcomes that a ``state`` argument means; all where it is None.

    Raises:
        ConfigError: There is no such state.
    """
    if state is None:
        return set(OutcomeStatus)
    if state == "failed":
        return set(OutcomeStatus) - {OutcomeStatus.SUCCESS}
    try:
        return {OutcomeStatus(state)}
    except ValueError:
        known = ", ".join(["failed", *OutcomeStatus])
        raise ConfigError(f"state: there is no {state!r}; choose one of {known}") from None
