"""The DuckDB query that a summary ends with. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarry.types import RunResult

NOT_CLOSED = frozenset({"unfinished", "detached", "interrupted"})
"""Outcomes of a command whose crawl was not closed, as far as it knows."""

_NOT_EVENTS = frozenset({"metrics", "artifact_chunk", "fanout_summary"})


def data_path(result: RunResult) -> str:
    """Give the folder of the dataset."""
    from quarry.lode.layout import build_dataset

    return f"{result.storage['path']}/{build_dataset(result.storage['dataset'])}"


def make_query(result: RunResult) -> str | None:
    """Make a query over the rows of this crawl; None where it has no rows.

    Items where there are any, else the most frequent event type. A fan-out's rows are found through its
    index, which names every committed file: a crawl from seeds has many roots, and a lost delivery may
    have left a file. The index comes with the close; before it the commit records name the files.
    Partition values are not read from paths: DuckDB would make dates of some run ids.
    """
    from quarry.lode.encoding import encode_value

    kinds = {kind: count for kind, count in result.rows.items() if count and kind not in _NOT_EVENTS}
    if not kinds:
        return None
    kind = "item" if "item" in kinds else max(sorted(kinds), key=lambda name: kinds[name])
    root = _escaped(data_path(result))
    files = _text(f"{root}/partitions/*/*/*/*/event_type={_escaped(encode_value(kind))}/*.parquet")
    columns = "run_id, seq, item_type, data" if kind == "item" else "run_id, seq, payload"
    crawl = encode_value(result.crawl)
    if result.outcome in NOT_CLOSED:
        records = _text(f"{root}/runs/*/crawl={crawl}/*.json")
        read = f"read_json({records}, columns = {{files: 'STRUCT(path VARCHAR)[]'}})"
        named = f"SELECT parse_filename(unnest(files).path) FROM {read}"  # noqa: S608 - as below
        wanted = f"parse_filename(filename) IN ({named})"
    elif result.fanout is None:
        wanted = f"run_id = {_text(result.run_id)}"
    else:
        index = _text(f"{root}/crawls/*/crawl={crawl}/index.parquet")
        named = f"SELECT parse_filename(unnest(files)) FROM read_parquet({index}) WHERE final"  # noqa: S608 - below
        wanted = f"parse_filename(filename) IN ({named})"
    rows = f"read_parquet({files}, filename = true, hive_partitioning = false)"
    return f"SELECT {columns} FROM {rows} WHERE {wanted};"  # noqa: S608 - shown to the user, not run


def _escaped(path: str) -> str:
    """Take their meaning from characters that DuckDB would match files by."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
