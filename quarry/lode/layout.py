"""Every path of a dataset: ``build_*`` makes it, ``parse_*`` gives the parts back or None. No I/O.

Paths are relative to the dataset's root and use ``/``. For every text x, ``parse_y(build_y(x)) == x``; the
one exception is stated at ``build_sidecar``. A value whose segment would be longer than a file name may be
is refused with ConfigError, before anything is written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from quarry.errors import ConfigError
from quarry.lode.encoding import bounded, decode_name, decode_value, encode_name, encode_value
from quarry.lode.filenames import META_SUFFIX, decode_filename, encode_filename

if TYPE_CHECKING:
    from collections.abc import Callable

PARTITIONS = "partitions"
SEGMENTS = "segments"
LIVE = "live"
RUNS = "runs"
ATTEMPTS = "attempts"
CRAWLS = "crawls"
EVENTS_NAME = "events.ndjson"
TEMP_SUFFIX = ".tmp"

_PART = re.compile(r"part-(.*)-(\d{5,})\.parquet", re.DOTALL)


class RunFolder(NamedTuple):
    """Where the files of one run lie: the partition values of layout ``run``."""

    source: str
    category: str
    day: str
    run_id: str


class PartPath(NamedTuple):
    """One Parquet file of a run."""

    folder: RunFolder
    event_type: str
    token: str
    number: int


class SidecarPath(NamedTuple):
    """One file of ``storage.put``, or its description."""

    folder: RunFolder
    token: str
    filename: str


class LivePath(NamedTuple):
    """The folder of a running delivery."""

    run_id: str
    token: str


class CrawlPath(NamedTuple):
    """A crawl's folder under ``runs``, ``attempts`` or ``crawls``."""

    day: str
    crawl: str


class RecordPath(NamedTuple):
    """A commit record: ``name`` is the job's key under ``runs``, the run id under ``attempts``."""

    day: str
    crawl: str
    name: str


def build_dataset(dataset: str) -> str:
    """Make the path of a dataset below the storage path."""
    return "datasets/" + _name("dataset", dataset)


def parse_dataset(path: str) -> str | None:
    """Give the dataset's id."""
    head, _, tail = path.partition("/")
    return decode_name(tail) if head == "datasets" and tail else None


def build_day_folder(*, source: str, category: str, day: str) -> str:
    """Make the folder that holds the run folders of one day."""
    return "/".join(
        (PARTITIONS, _hive("source", source), _hive("category", category), _hive("day", day)),
    )


def build_run_folder(folder: RunFolder) -> str:
    """Make the folder of a run's files."""
    day = build_day_folder(source=folder.source, category=folder.category, day=folder.day)
    return f"{day}/{_hive('run_id', folder.run_id)}"


def parse_run_folder(path: str) -> RunFolder | None:
    """Give the partition values of a run's folder."""
    parts = path.split("/")
    if len(parts) != 5 or parts[0] != PARTITIONS:  # noqa: PLR2004 - the tree and four partition keys
        return None
    values = [
        _unhive(key, part)
        for key, part in zip(("source", "category", "day", "run_id"), parts[1:], strict=True)
    ]
    texts = [value for value in values if value is not None]
    return RunFolder(*texts) if len(texts) == len(values) else None


def build_event_folder(folder: RunFolder, event_type: str) -> str:
    """Make the folder of a run's rows of one event type."""
    return f"{build_run_folder(folder)}/{_hive('event_type', event_type)}"


def build_part(part: PartPath) -> str:
    """Make the path of a Parquet file; ``number`` counts from 1."""
    name = bounded(
        f"part-{encode_value(part.token)}-{part.number:05d}.parquet", field="token", text=part.token
    )
    return f"{build_event_folder(part.folder, part.event_type)}/{name}"


def parse_part(path: str) -> PartPath | None:
    """Give the parts of a Parquet file's path; None for a temporary name."""
    head, _, name = path.rpartition("/")
    run, _, typed = head.rpartition("/")
    folder = parse_run_folder(run)
    event_type = _unhive("event_type", typed)
    match = _PART.fullmatch(name)
    if folder is None or event_type is None or match is None:
        return None
    token = decode_value(match[1])
    number = int(match[2])
    if token is None or match[2] != f"{number:05d}":
        return None
    return PartPath(folder, event_type, token, number)


def build_files_folder(folder: RunFolder, token: str) -> str:
    """Make the folder of a delivery's ``storage.put`` files."""
    return f"{build_run_folder(folder)}/files/{_name('token', token)}"


def build_files_prefix(*, source: str, category: str, day: str, run_id: str, token: str) -> str:
    """Make the path that every ``storage.put`` key of a delivery starts with, without a slash at its end."""
    return build_files_folder(RunFolder(source, category, day, run_id), token)


def build_sidecar(path: SidecarPath) -> str:
    """Make the path of a ``storage.put`` file.

    The name stays readable. One that would not fit beside its description (245 bytes) is stored under its
    hash; its real name is in the description and in the commit record, and ``parse_sidecar`` gives None.
    """
    return f"{build_files_folder(path.folder, path.token)}/{encode_filename(path.filename)}"


def parse_sidecar(path: str) -> SidecarPath | None:
    """Give the parts of a ``storage.put`` file's path; None for a description or a hashed name."""
    head, _, name = path.rpartition("/")
    files, _, token_name = head.rpartition("/")
    run, _, marker = files.rpartition("/")
    folder = parse_run_folder(run)
    token = decode_name(token_name) if token_name else None
    filename = decode_filename(name)
    if folder is None or marker != "files" or token is None or filename is None:
        return None
    return SidecarPath(folder, token, filename)


def build_sidecar_meta(path: SidecarPath) -> str:
    """Make the path of a ``storage.put`` file's description."""
    return build_sidecar(path) + META_SUFFIX


def parse_sidecar_meta(path: str) -> SidecarPath | None:
    """Give the parts of a description's path."""
    return parse_sidecar(path.removesuffix(META_SUFFIX)) if path.endswith(META_SUFFIX) else None


def build_live(live: LivePath) -> str:
    """Make the folder of a running delivery."""
    return f"{LIVE}/{_name('run_id', live.run_id)}/{_name('token', live.token)}"


def parse_live(path: str) -> LivePath | None:
    """Give run and token of a delivery's folder."""
    parts = path.split("/")
    if len(parts) != 3 or parts[0] != LIVE or not all(parts):  # noqa: PLR2004 - the tree, run, token
        return None
    run_id, token = decode_name(parts[1]), decode_name(parts[2])
    return None if run_id is None or token is None else LivePath(run_id, token)


def build_live_artifact(live: LivePath, number: int) -> str:
    """Make the path of an artifact's bytes before its run is sealed; ``number`` counts from 1."""
    return f"{build_live(live)}/artifact-{number:05d}.bin"


def build_crawl_folder(tree: str, crawl: CrawlPath) -> str:
    """Make a crawl's folder in the tree RUNS, ATTEMPTS or CRAWLS."""
    return f"{tree}/{_hive('day', crawl.day)}/{_hive('crawl', crawl.crawl)}"


def parse_crawl_folder(path: str) -> tuple[str, CrawlPath] | None:
    """Give the tree, day and crawl of a crawl's folder."""
    parts = path.split("/")
    if len(parts) != 3 or parts[0] not in {RUNS, ATTEMPTS, CRAWLS}:  # noqa: PLR2004 - the tree, day, crawl
        return None
    day, crawl = _unhive("day", parts[1]), _unhive("crawl", parts[2])
    return None if day is None or crawl is None else (parts[0], CrawlPath(day, crawl))


def build_record(record: RecordPath) -> str:
    """Make the path of a job's commit record; ``name`` is its key."""
    return _record(RUNS, record, "key")


def parse_record(path: str) -> RecordPath | None:
    """Give day, crawl and key of a commit record's path."""
    return _unrecord(RUNS, path)


def build_attempt(record: RecordPath) -> str:
    """Make the path of an attempt's record; ``name`` is its run id."""
    return _record(ATTEMPTS, record, "run_id")


def parse_attempt(path: str) -> RecordPath | None:
    """Give day, crawl and run id of an attempt's record."""
    return _unrecord(ATTEMPTS, path)


def build_summary(crawl: CrawlPath) -> str:
    """Make the path of a crawl's summary."""
    return build_crawl_folder(CRAWLS, crawl) + "/summary.json"


def build_marker(crawl: CrawlPath) -> str:
    """Make the path of the file by which a worker knows the storage of a crawl over many machines."""
    return build_crawl_folder(CRAWLS, crawl) + "/begun.json"


def build_index(crawl: CrawlPath) -> str:
    """Make the path of the file that holds all records of a crawl."""
    return build_crawl_folder(CRAWLS, crawl) + "/index.parquet"


def check_names(*, crawl: str, folder: RunFolder) -> None:
    """Refuse names that can't be stored, before anything is written.

    Raises:
        ConfigError: One or more of them make a path segment longer than a file name may be; all are named.
    """
    problems: list[str] = []
    # Where the run id stands alone (live, attempts) its segment is never longer than the one of run_id=.
    builders: list[Callable[[], str]] = [
        lambda: _hive("source", folder.source),
        lambda: _hive("category", folder.category),
        lambda: _hive("day", folder.day),
        lambda: _hive("run_id", folder.run_id),
        lambda: _hive("crawl", crawl),
    ]
    for build in builders:
        try:
            build()
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)


def _hive(key: str, value: str) -> str:
    return bounded(f"{key}={encode_value(value)}", field=key, text=value)


def _unhive(key: str, segment: str) -> str | None:
    prefix = key + "="
    return decode_value(segment.removeprefix(prefix)) if segment.startswith(prefix) else None


def _name(field: str, value: str) -> str:
    return bounded(encode_name(value), field=field, text=value)


def _record(tree: str, record: RecordPath, field: str) -> str:
    name = bounded(encode_name(record.name) + ".json", field=field, text=record.name)
    return f"{build_crawl_folder(tree, CrawlPath(record.day, record.crawl))}/{name}"


def _unrecord(tree: str, path: str) -> RecordPath | None:
    head, _, name = path.rpartition("/")
    folder = parse_crawl_folder(head)
    if folder is None or folder[0] != tree or not name.endswith(".json") or name == ".json":
        return None
    key = decode_name(name.removesuffix(".json"))
    return None if key is None else RecordPath(*folder[1], key)
