"""The YAML file: strict keys, text leaves, every problem at once with its line."""

from __future__ import annotations

import pytest

from quarry.config.file import read_document
from quarry.config.sources import gather
from quarry.errors import ConfigError


@pytest.fixture
def config(tmp_path):
    """Function that writes a configuration file and gives its path."""

    def write(text: str | bytes) -> str:
        path = tmp_path / "quarry.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def problems_of(path, environment=None):
    gathered = gather({}, config=path, environment=environment or {}, cwd="/")
    return [problem.replace(path, "F") for problem in gathered.problems]


@pytest.mark.clause("CLI-06")
def test_leaves_are_the_text_that_was_written(config):
    """No YAML version and no type guesses change a name."""
    path = config("source: 007\ncategory: no\nstorage:\n  dataset: 2026-01-31\nreport: ~x\n")
    assert read_document(path, {}).raw == {
        "source": "007",
        "category": "no",
        "storage": {"dataset": "2026-01-31"},
        "report": "~x",
    }


@pytest.mark.clause("CLI-04", "CLI-06", "CLI-07")
def test_all_problems_come_at_once_with_line_and_key(config):
    """In the order of the file."""
    path = config(
        "depth: many\n"
        "depth: 3\n"
        "storage:\n"
        "  pth: /x\n"
        "  path: ${NOWHERE}/x\n"
        "  dataset:\n"
        "parralel: 8\n"
        "dataset: x\n"
        "policy: [strict]\n"
        "scripts:\n"
        "  a/b: x.py\n"
        "  ok: {source: s}\n"
        "timeout: 0\n"
        "output: {format: jason}\n"
    )
    assert problems_of(path) == [
        "F:1: depth: must be a whole number from 0 to 1000000",
        "F:2: depth: stands twice; it is in line 1 already",
        "F:4: storage.pth: unknown key; did you mean path?",
        "F:5: storage.path: the variable NOWHERE is not set; set it, or write ${NOWHERE:-default}",
        "F:6: storage.dataset: has no value; give one, or leave the key out",
        "F:7: parralel: unknown key; did you mean parallel?",
        "F:8: dataset: unknown key; did you mean storage.dataset?",
        "F:9: policy: must be a mapping of keys to values",
        "F:11: scripts.a/b: a name under 'scripts:' must not look like a path: no '/', no '.py' at its end",
        "F:12: scripts.ok.path: is missing",
        "F:13: timeout: must be longer than 0",
        "F:14: output.format: must be one of table, json, yaml; did you mean json?",
    ]


@pytest.mark.clause("CLI-07")
def test_what_a_variable_holds_is_never_shown(config):
    """Not even where it is the thing that is wrong."""
    path = config("depth: ${TOKEN}\nstorage: {dataset: 'a/${TOKEN}'}\npolicy: ${TOKEN}\n")
    told = " ".join(problems_of(path, {"TOKEN": "hunter2"}))
    assert told.count("F:") == 3
    assert "hunter2" not in told


@pytest.mark.clause("CLI-06")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", ":1:5: is not YAML"),
        ("a: 1\n---\nb: 2\n", ":2:1: is not YAML"),
        ("a: 1\n\tb: 2\n", ":2:1: is not YAML"),
        ("- a\n", ":1: must be a mapping"),
        ("just text\n", ":1: must be a mapping"),
        ("a: '\x01'\n", "is not YAML"),
        (b"a: \xff\n", ":1: is not UTF-8"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("x: " + "y" * (16 * 1024 * 1024), "larger than"),
        (
            "a0: &a0 {b: c}\n" + "".join(f"a{i + 1}: &a{i + 1} {{p: *a{i}, q: *a{i}}}\n" for i in range(18)),
            "more than 250000 keys",
        ),
    ],
)
def test_what_is_no_mapping_in_yaml_is_refused(config, text, message):
    """With its line and column; aliases that multiply don't hang the command."""
    with pytest.raises(ConfigError) as caught:
        read_document(config(text), {})
    assert message in caught.value.message


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_empty_file_says_nothing(config, text):
    """A file of comments is fine."""
    assert read_document(config(text), {}).raw == {}


def test_tags_have_no_effect(config):
    """Nothing is constructed, whatever a tag asks for."""
    assert read_document(config("source: !!python/object/apply:os.system [x]\n"), {}).raw == {"source": ["x"]}


def test_missing_file_is_told(tmp_path):
    """By its name."""
    with pytest.raises(ConfigError, match="can't be read: No such file"):
        read_document(str(tmp_path / "nope.yaml"), {})
