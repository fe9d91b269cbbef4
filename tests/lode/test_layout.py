"""Paths: built, parsed, refused, and read by other engines."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quarry.errors import ConfigError
from quarry.lode import layout
from quarry.lode.encoding import MAX_SEGMENT_BYTES
from quarry.lode.layout import CrawlPath, LivePath, PartPath, RecordPath, RunFolder, SidecarPath

ANY = st.text(alphabet=st.characters(codec=None), max_size=12)
"""Any string, lone surrogates too; short enough that no segment is refused."""

NASTY = [
    "",
    "/",
    "%",
    "=",
    ".",
    "..",
    "a/../b",
    "\0",
    "é☃",
    "\ud800",
    "%2E",
    "~",
    "a b",
    "__HIVE_DEFAULT_PARTITION__",
]


def nasty(function):
    for text in NASTY:
        function = example(text)(function)
    return function


def assert_plain(path: str) -> None:
    """The path has no empty, hidden or climbing segment and every segment fits a file name."""
    for segment in path.split("/"):
        assert segment
        assert not segment.startswith(".")
        assert len(segment.encode()) <= MAX_SEGMENT_BYTES


@pytest.mark.clause("LODE-01")
@given(ANY)
@nasty
def test_any_text_survives_every_path(text):
    """parse(build(x)) == x wherever a value stands in a path."""
    folder = RunFolder(text, text, text, text)
    cases = [
        (layout.build_dataset, layout.parse_dataset, text),
        (layout.build_run_folder, layout.parse_run_folder, folder),
        (layout.build_part, layout.parse_part, PartPath(folder, text, text, 1)),
        (layout.build_part, layout.parse_part, PartPath(folder, text, text, 123456)),
        (layout.build_sidecar, layout.parse_sidecar, SidecarPath(folder, text, text)),
        (layout.build_sidecar_meta, layout.parse_sidecar_meta, SidecarPath(folder, text, text)),
        (layout.build_live, layout.parse_live, LivePath(text, text)),
        (layout.build_record, layout.parse_record, RecordPath(text, text, text)),
        (layout.build_attempt, layout.parse_attempt, RecordPath(text, text, text)),
    ]
    for build, parse, value in cases:
        path = build(value)
        assert parse(path) == value
        assert_plain(path)
    for tree in (layout.RUNS, layout.ATTEMPTS, layout.CRAWLS):
        path = layout.build_crawl_folder(tree, CrawlPath(text, text))
        assert layout.parse_crawl_folder(path) == (tree, CrawlPath(text, text))


@pytest.mark.clause("LODE-01")
@given(st.text(max_size=60))
def test_parsing_never_fails_and_takes_only_what_build_makes(path):
    """Any path parses to None or to a value that builds it again."""
    for build, parse in (
        (layout.build_dataset, layout.parse_dataset),
        (layout.build_run_folder, layout.parse_run_folder),
        (layout.build_part, layout.parse_part),
        (layout.build_sidecar, layout.parse_sidecar),
        (layout.build_live, layout.parse_live),
        (layout.build_record, layout.parse_record),
        (layout.build_attempt, layout.parse_attempt),
    ):
        for candidate in (path, f"datasets/{path}", f"live/{path}", f"runs/day=d/crawl=c/{path}"):
            value = parse(candidate)
            assert value is None or build(value) == candidate


@pytest.mark.clause("LODE-01")
@pytest.mark.parametrize(
    "path",
    [
        "partitions/source=a/category=b/day=c/run_id=%2e/event_type=item/part-t-00001.parquet",
        "partitions/source=%ff/category=b/day=c/run_id=r/event_type=item/part-t-00001.parquet",
        "partitions/source=a/category=b/day=c/run_id=r/event_type=item/.part-t-00001.tmp",
        "partitions/source=a/category=b/day=c/run_id=r/event_type=item/part-t-1.parquet",
        "partitions/category=b/source=a/day=c/run_id=r/event_type=item/part-t-00001.parquet",
    ],
)
def test_paths_that_build_never_makes_parse_to_none(path):
    """Lower-case escapes, invalid UTF-8, temporary names, unpadded numbers and other orders are not ours."""
    assert layout.parse_part(path) is None


@pytest.mark.clause("LODE-02")
@pytest.mark.parametrize("field", ["source", "category", "day", "run_id"])
@pytest.mark.parametrize("value", ["x" * 300, "é" * 60, "/" * 90])
def test_values_too_long_for_a_file_name_are_refused(field, value):
    """The refusal names the field and the limit."""
    values = {"source": "s", "category": "c", "day": "d", "run_id": "r", field: value}
    with pytest.raises(ConfigError, match=f"^{field}: .* {MAX_SEGMENT_BYTES}"):
        layout.build_run_folder(RunFolder(**values))


@pytest.mark.clause("LODE-02")
def test_all_names_that_are_too_long_are_named_at_once(dataset):
    """The writer refuses before anything is written, with every problem in one error."""
    before = sorted(dataset.root.rglob("*"))
    with pytest.raises(ConfigError) as caught:
        layout.check_names(crawl="c" * 300, folder=RunFolder("s" * 300, "c", "d", "r" * 252))
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["source", "run_id", "crawl"]
    assert sorted(dataset.root.rglob("*")) == before


@pytest.mark.clause("LODE-02")
def test_longest_value_that_fits_is_taken(tmp_path):
    """255 bytes of segment make a folder; one more is refused."""
    value = "x" * (MAX_SEGMENT_BYTES - len("source="))
    path = layout.build_run_folder(RunFolder(value, "c", "d", "r"))
    (tmp_path / path).mkdir(parents=True)
    with pytest.raises(ConfigError):
        layout.build_run_folder(RunFolder(value + "x", "c", "d", "r"))


@pytest.mark.clause("LODE-04")
@given(ANY, st.text(alphabet="0123456789abcdef", min_size=8, max_size=24))
def test_every_path_of_a_delivery_contains_its_token(text, token):
    """Whatever the other values are."""
    folder = RunFolder(text, text, text, text)
    for path in (
        layout.build_part(PartPath(folder, text, token, 1)),
        layout.build_sidecar(SidecarPath(folder, token, text)),
        layout.build_live(LivePath(text, token)),
        layout.build_live_artifact(LivePath(text, token), 1),
    ):
        assert token in path


@pytest.mark.clause("LODE-27")
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300), st.text(max_size=300))
@example("a", "a.meta.json")
@example("a%2Emeta.json", "a.meta.json")
@example(".x", "%2Ex")
@example("y" * 245, "y" * 246)
def test_put_files_never_meet_on_disk(one, other):
    """Two names are two files and two descriptions, all different."""
    folder = RunFolder("s", "c", "d", "r")
    paths = [
        build(SidecarPath(folder, "t", name))
        for name in {one, other}
        for build in (layout.build_sidecar, layout.build_sidecar_meta)
    ]
    assert len(set(paths)) == len(paths)
    for path in paths:
        assert_plain(path)


@pytest.mark.clause("LODE-03")
def test_engines_decode_partition_values_as_quarry_does(tmp_path):
    """DuckDB's and pyarrow's own hive readers give back every value."""
    duckdb = pytest.importorskip("duckdb")
    values = [text for text in NASTY if text not in {"\ud800", "__HIVE_DEFAULT_PARTITION__"}]
    values += ["007", "2026-01-31", "null", "NULL", "true", "a+b", "a%2Fb", "\n", "x" * 200]
    for value in values:
        folder = layout.build_event_folder(RunFolder(value, "c", "2026-01-31", "r"), "item")
        (tmp_path / folder).mkdir(parents=True)
        pq.write_table(pa.table({"n": pa.array([1])}), tmp_path / folder / "part-t-00001.parquet")
    by_duckdb = duckdb.sql(
        f"select source from read_parquet('{tmp_path}/**/*.parquet', hive_partitioning=true,"
        " hive_types_autocast=false)"
    ).fetchall()
    assert sorted(row[0] for row in by_duckdb) == sorted(values)
    keys = ("source", "category", "day", "run_id", "event_type")
    flavor = ds.partitioning(pa.schema([(key, pa.string()) for key in keys]), flavor="hive")
    table = ds.dataset(tmp_path / "partitions", partitioning=flavor).to_table()
    assert sorted(table["source"].to_pylist()) == sorted(values)
