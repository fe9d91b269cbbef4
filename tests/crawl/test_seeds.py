"""Seed files: URLs or JSON jobs, one a line."""

from __future__ import annotations

import io
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.clause("PROXY-03")
def test_a_seed_is_its_template_in_all_but_its_params(tmp_path):
    """Its proxy pool too: without it the crawl's requests would go out directly."""
    path = tmp_path / "seeds"
    path.write_text('{"n": 1}\n')
    full = JobPayload(
        **{name: name for name in JobPayload.__struct_fields__ if name not in {"params", "first_attempt"}},
        params={},
        first_attempt=3,
    )
    [(_, _, [job], _)] = SeedReader(str(path), template=full, first_attempt=1).batches()
    expected = msgspec.structs.replace(full, params={"n": 1})
    assert msgspec.json.decode(job.payload, type=JobPayload) == expected


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


_PIECES = st.sampled_from(
    [
        '{"a": 1}',
        '{"a":1,"b":"x y"}',
        '{"a":1, "a":2}',
        '{"a":{}}',
        '{"a":01}',
        '{"a":1.5,"b":null}',
        "http://a/",
        "a+b://c?d",
        "+://a",
        "http://",
        "two words",
        "",
        " ",
        '{"a":"\\ud800"}',
        '{"é":1}',
        "http://é/",
        "http://a/ ",
        '{"k":12345678901234567890123}',
        '{"a":true,"b":false,"c":"","d":-0,"e":7,"f":8,"g":9,"a":1}',
        "{",
        "{}",
    ]
)
_TEXTS = st.text(alphabet='{}":,/ab01-+. \\', max_size=12)


@given(
    st.lists(st.tuples(_PIECES | _TEXTS, st.sampled_from(["\n", "\r\n", "\n\n"])), max_size=12), st.booleans()
)
def test_what_is_passed_over_is_what_parsing_every_line_would_have_accepted(tmp_path_factory, lines, ended):
    """Number of seeds and the named lines are those of the slow way."""
    text = "".join(line + end for line, end in lines)
    text = text if ended else text.removesuffix("\n").removesuffix("\r")
    path = tmp_path_factory.mktemp("seeds") / "seeds"
    path.write_bytes(text.encode())
    wrong, seeds = [], 0
    for number, raw in enumerate(text.split("\n"), start=1):
        if line := raw.strip():
            seeds += 1
            try:
                parse_line(line)
            except ValueError:
                wrong.append(str(number))
    if wrong or not seeds:
        with pytest.raises(ConfigError) as error:
            check_seeds(str(path))
        named = [
            p.removeprefix(f"{path}:").split(":")[0] for p in error.value.problems if "no seeds" not in p
        ]
        assert named == wrong
    else:
        assert check_seeds(str(path)) == seeds


def test_lines_longer_than_a_block_and_longer_than_allowed(tmp_path):
    """A long line is one seed; a line beyond the limit is refused by its number."""
    path = tmp_path / "seeds"
    lines = ["http://a/" + "x" * (n * 1000) for n in range(400)]
    path.write_text("\n".join(lines))
    assert check_seeds(str(path)) == 400
    path.write_text("http://a/\n" * 3 + "http://a/" + "x" * 1024 * 1024 + "\nhttp://b/\n")
    with pytest.raises(ConfigError, match=r":4: the line is longer"):
        check_seeds(str(path))
