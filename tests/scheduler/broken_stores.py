"""Stores that break one promise each; the random walks must notice every one of them."""

from __future__ import annotations

from quarry.lode import Dataset, layout
from quarry.lode.disk import remove_file


class Overwrites(Dataset):
    """The last put stands, whatever stood before."""

    def put_record(self, record):
        path = layout.build_record(layout.RecordPath(record.day, record.crawl, record.key))
        remove_file(str(self.root / path))
        return super().put_record(record)


class OverwritesInSilence(Overwrites):
    """As above, but the answer is the one that a rightful store gives."""

    def put_record(self, record):
        standing = self.get_record(record.day, record.crawl, record.key)
        super().put_record(record)
        return standing or record


class TellsLosersTheyWon(Dataset):
    """Whoever puts gets his own record back: a loser settles by it and keeps his files."""

    def put_record(self, record):
        super().put_record(record)
        return record


class TellsLosersOfAttemptsTheyWon(Dataset):
    """Whoever puts an attempt's record gets his own back."""

    def put_attempt(self, record):
        super().put_attempt(record)
        return record


class KeepsFilesOfLosers(Dataset):
    """What a loser discards stays."""

    def writer(self, **given):
        writer = super().writer(**given)
        writer.discard = writer.close
        return writer


class LosesAnEvent(Dataset):
    """The data give one enqueue event less than they hold."""

    def enqueue_payloads(self, record):
        return super().enqueue_payloads(record)[:-1]


class ListsShadowedAttempts(Dataset):
    """An attempt is listed though the job's final record is of the same run."""

    def attempts(self, day, crawl):
        return self._catalog.records(layout.ATTEMPTS, layout.CrawlPath(day, crawl))


class FindsNothing(Dataset):
    """Who looks for an earlier delivery's record finds none."""

    def get_record(self, day, crawl, key):
        return None


BROKEN = [
    Overwrites,
    OverwritesInSilence,
    TellsLosersTheyWon,
    TellsLosersOfAttemptsTheyWon,
    KeepsFilesOfLosers,
    LosesAnEvent,
    ListsShadowedAttempts,
    FindsNothing,
]
