"""Seed files: spooled, read in batches, each distinct line a root at depth 0."""

from __future__ import annotations

import os
import re
import shutil
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

import msgspec

from quarry.config.jobs import parse_job
from quarry.crawl.children import make_job
from quarry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from quarry.crawl.plan import JobPayload
    from quarry.scheduler import NewJob

BATCH_LINES = 500
_MAX_LINE_BYTES = 1024 * 1024
_SHOWN_ERRORS = 20
_SHOWN_CHARS = 80
_BLOCK_BYTES = 256 * 1024
_FLAT_KEYS = 6
"""Keys of a flat JSON object that the pattern of plain lines knows; one with more is parsed."""


def _plain_lines() -> re.Pattern[bytes]:
    """Make the pattern of lines of which nothing but their form need be known to call them right.

    A million lines are looked at before anything is started, and parsing each costs seconds. Plain are URLs
    of printable ASCII, and flat JSON objects whose keys differ and whose values are short integers, words,
    or strings without escapes. All other lines, the wrong ones among them, are parsed one by one.
    """
    url = rb"[A-Za-z0-9][A-Za-z0-9+]*+://[!-~]{1,8000}+"
    text = rb"[ !#-\[\]-~]{0,8000}+"
    value = rb'(?>"' + text + rb'"|-?(?:0|[1-9][0-9]{0,14}+)(?![0-9.eE])|true|false|null)'
    members = b""
    for number in range(_FLAT_KEYS, 0, -1):
        others = b"|".join(b"(?P=k%d)" % other for other in range(1, number))
        another = rb"(?!(?:" + others + rb')")' if others else b""
        member = rb'"' + another + rb"(?P<k%d>" % number + text + rb')" ?: ?' + value
        rest = rb"(?:, ?" + members + rb")?" if members else b""
        members = member + rest
    return re.compile(rb"(?>(?:" + url + rb"|\{ ?" + members + rb" ?\})\r?\n)*+")


def spool(source: IO[bytes], path: str) -> None:
    """Copy standard input to a file, synced, so that a seeder that died can go on from its offset."""
    with open(path, "wb") as file:
        shutil.copyfileobj(source, file)
        file.flush()
        os.fsync(file.fileno())


def parse_line(text: str) -> dict[str, Any]:
    """Read one seed line: a JSON object is a job, anything else is the URL of one.

    Raises:
        ValueError: With a message for the user.
    """
    if text.startswith("{"):
        return parse_job(text)
    if any(c.isspace() or not c.isprintable() for c in text):
        raise ValueError("a URL has no blanks and no control characters in it; a job is a JSON object")
    scheme, separator, rest = text.partition("://")
    if not separator or not rest or not scheme.isascii() or not scheme.replace("+", "").isalnum():
        raise ValueError("neither a URL (https://…) nor a JSON object")
    return {"url": text}


def check_seeds(path: str, *, name: str | None = None) -> int:
    """Read a whole seed file once before anything is started.

    Args:
        path: The file.
        name: What to call it in messages, where it isn't the user's own.

    Returns:
        Number of seeds (lines that are not blank).

    Raises:
        ConfigError: Naming the first bad lines, each with its number and the mend.
    """
    problems: list[str] = []
    bad = seeds = 0
    name = name or path
    for plain, number, raw in _sift(path):
        seeds += plain
        if not raw:
            continue
        seeds += 1
        try:
            parse_line(_decode(raw))
        except ValueError as error:
            bad += 1
            if len(problems) < _SHOWN_ERRORS:
                shown = raw[:_SHOWN_CHARS].decode(errors="replace")
                problems.append(f"{name}:{number}: {error}: {shown!r}")
    if bad > len(problems):
        problems.append(f"{name}: {bad - len(problems)} more lines are wrong")
    if problems:
        raise ConfigError(problems)
    if not seeds:
        raise ConfigError(f"{name}: no seeds in it; give one URL or one JSON object a line")
    return seeds


def in_batches(jobs: Iterable[NewJob], *, start: int) -> Iterator[tuple[int, int, list[NewJob], bool]]:
    """Give jobs in batches of at most 500; the last one may be empty.

    Args:
        jobs: In order, from the offset on.
        start: Offset of the first of them.

    Yields:
        Offset before, offset after, the jobs, whether it is the last batch.
    """
    batch: list[NewJob] = []
    offset = start
    for job in jobs:
        if len(batch) == BATCH_LINES:
            yield offset, offset + len(batch), batch, False
            offset += len(batch)
            batch = []
        batch.append(job)
    yield offset, offset + len(batch), batch, True


class SeedReader:
    """Reads the jobs of a seed file, in batches.

    Args:
        path: A checked seed file.
        template: Payload of a root, without params.
        first_attempt: Attempt number of the roots.
        queue: The broker's list for their messages, where it is not the crawl's own.
    """

    def __init__(
        self, path: str, *, template: JobPayload, first_attempt: int, queue: str | None = None
    ) -> None:
        self._queue = queue
        self._path = path
        self._template = template
        self._first_attempt = first_attempt

    def batches(self, start: int = 0) -> Iterator[tuple[int, int, list[NewJob], bool]]:
        """Give batches of at most 500 jobs.

        Args:
            start: Seeds to skip: the offset that the ledger keeps.

        Returns:
            As `in_batches`.
        """
        lines = islice(_lines(self._path), start, None)
        return in_batches((self._job(number, raw) for number, raw in lines), start=start)

    def _job(self, number: int, raw: bytes) -> NewJob:
        params = parse_line(_decode(raw))
        # All of the template but the params: a field that were left out here would be lost on every seed.
        payload = msgspec.structs.replace(self._template, params=params)
        try:
            return make_job(payload, depth=0, first_attempt=self._first_attempt, queue=self._queue)
        except ValueError as error:
            raise ConfigError(f"{self._path}:{number}: {error}") from error


def _sift(path: str) -> Iterator[tuple[int, int, bytes]]:
    """Pass over plain lines and give all others.

    Yields:
        How many plain lines were passed, the number of the line behind them, and that line without blanks at
        its ends: empty where it is blank, or where there is none.
    """
    skip = _plain_lines().match
    passed = 0
    try:
        with open(path, "rb") as file:
            # Whole lines: what the block cuts off is read to its end.
            while block := file.read(_BLOCK_BYTES) + file.readline(_MAX_LINE_BYTES + 1):
                at = 0
                while at < len(block):
                    found = skip(block, at)
                    end = found.end() if found else at
                    plain = block.count(b"\n", at, end)
                    at = block.find(b"\n", end) + 1 or len(block)
                    raw = _checked(path, passed + plain + 1, block[end:at])
                    yield plain, passed + plain + 1, raw
                    passed += plain + (at > end)
    except OSError as error:
        raise _unreadable(path, error) from error


def _lines(path: str) -> Iterator[tuple[int, bytes]]:
    """Give line number and text of each line that is not blank; a BOM and line ends are dropped."""
    try:
        with open(path, "rb") as file:
            number = 0
            while raw := file.readline(_MAX_LINE_BYTES + 1):
                number += 1
                if text := _checked(path, number, raw):
                    yield number, text
    except OSError as error:
        raise _unreadable(path, error) from error


def _checked(path: str, number: int, raw: bytes) -> bytes:
    """Give a line without its end, blanks and the file's BOM; a line that is too long is refused."""
    if len(raw) > _MAX_LINE_BYTES:
        raise ConfigError(f"{path}:{number}: the line is longer than {_MAX_LINE_BYTES} bytes")
    return (raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw).strip()


def _unreadable(path: str, error: OSError) -> ConfigError:
    return ConfigError(f"{path}: the seed file can't be read: {error.strerror}")


def _decode(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8") from error
