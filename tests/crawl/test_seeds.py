"""Seed files: URLs or JSON jobs, one a line."""

from __future__ import annotations

import io
import json

import pytest

from quarry.crawl.plan import JobPayload
from quarry.crawl.seeds import BATCH_LINES, SeedReader, check_seeds, parse_line, spool
from quarry.errors import ConfigError

pytestmark = pytest.mark.clause("RUN-34")

TEMPLATE = JobPayload(target="x.py", path="/s/x.py", params={}, source="s", category="c")


def reader(path):
    return SeedReader(str(path), template=TEMPLATE, first_attempt=1)


def test_a_line_is_a_url_or_a_json_object():
    """Both give the job."""
    assert parse_line("https://a.example/x?y=1") == {"url": "https://a.example/x?y=1"}
    assert parse_line('{"n": 1}') == {"n": 1}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"a": NaN}',
        "{1: 2}",
        '{"a": 1, "a": 2}',
        '{"a": 184467440737095516160}',
        '{"a":' * 300 + "1" + "}" * 300,
        "two words",
        "[1]",
        '"text"',
        "-5",
        "#comment",
        "example.org/x",
        "http://",
        "http://a/\x1b[0m",
    ],
)
def test_bad_lines_are_refused(text):
    """With a message."""
    with pytest.raises(ValueError, match=r"."):
        parse_line(text)


def test_every_bad_line_is_named_at_once(tmp_path):
    """File and line number of each, before anything has started."""
    path = tmp_path / "seeds"
    path.write_text('http://a/\n{\n\nhttp://b/ c\n{"x": Infinity}\n')
    with pytest.raises(ConfigError) as error:
        check_seeds(str(path))
    assert [p.split(":")[1] for p in error.value.problems] == ["2", "4", "5"]


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_seed_file_is_refused(tmp_path, content):
    """It is a mistake, not a crawl of nothing."""
    path = tmp_path / "seeds"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="no seeds"):
        check_seeds(str(path))


def test_batches_cover_the_file_in_order_and_go_on_from_an_offset(tmp_path):
    """500 a batch; blank lines, a BOM and CRLF count for nothing; a second seeder skips what was admitted."""
    path = tmp_path / "seeds"
    lines = [f"http://a/{n}" for n in range(2 * BATCH_LINES + 7)]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n\r\n".join(lines).encode())
    assert check_seeds(str(path)) == len(lines)
    batches = list(reader(path).batches())
    assert [(a, b, final) for a, b, _, final in batches] == [
        (0, 500, False),
        (500, 1000, False),
        (1000, 1007, True),
    ]
    said = [json.loads(job.payload)["params"]["url"] for _, _, jobs, _ in batches for job in jobs]
    assert said == lines
    rest = list(reader(path).batches(start=500))
    assert [(a, b) for a, b, _, _ in rest] == [(500, 1000), (1000, 1007)]
    assert json.loads(rest[0][2][0].payload)["params"]["url"] == lines[500]


def test_standard_input_is_spooled_byte_for_byte(tmp_path):
    """So that the offset means the same after a crash."""
    path = tmp_path / "spool"
    spool(io.BytesIO(b"http://a/\n" * 1000), str(path))
    assert path.read_bytes() == b"http://a/\n" * 1000
