"""Secrets that jobs name."""

from __future__ import annotations

import pytest

from quarry.config.job_secrets import secret_of
from quarry.config.load import Inputs, load
from quarry.types.secret import Secret
from tests.config.pools import PLANTED, read, told


@pytest.mark.clause("PROXY-22", "PROXY-23")
def test_secrets_of_the_file_are_hidden(tmp_path):
    """Any text; variables are expanded."""
    found = read(tmp_path, "secrets:\n  TOKEN: ${T}\n  _key2: |\n    a\n    b\n  n: 0007\n", {"T": PLANTED})
    assert found.problems == []
    secrets = found.values["secrets"].value
    assert {name: secret.reveal() for name, secret in secrets.items()} == {
        "TOKEN": PLANTED,
        "_key2": "a\nb\n",
        "n": "0007",
    }


NAME = "a name must be letters, digits and _, and not begin with a digit"


@pytest.mark.clause("PROXY-22", "CLI-07")
@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("secrets: hunter2\n", ["F:1:1: secrets: must be a mapping of names to texts"]),
        ("secrets: [hunter2]\n", ["F:1:1: secrets: must be a mapping of names to texts"]),
        (
            "secrets: {hunter2}\n",
            ["F:1:11: secrets: a key in it has no value; give one, or leave the key out"],
        ),
        ("secrets: {TOKEN:hunter2: x}\n", [f"F:1:11: secrets: {NAME}"]),
        ("secrets: {2hunter2: x}\n", [f"F:1:11: secrets: {NAME}"]),
        (
            "secrets: {a: {hunter2}}\n",
            ["F:1:14: secrets: a key in it must be a single value, not a list or a mapping"],
        ),
        (
            "secrets: {a: [hunter2]}\n",
            ["F:1:14: secrets: a key in it must be a single value, not a list or a mapping"],
        ),
        (
            "secrets: {a: ''}  # hunter2\n",
            ["F:1:11: secrets: a secret must not be empty; leave it out, or give it"],
        ),
        (
            "secrets: {a: 007, b: 0007}  # hunter2\n",
            [
                "F:1:11: secrets: a secret must have at least 4 characters: a shorter one can't be struck out",
            ],
        ),
        (
            f"secrets: {{a: {'hunter2' * 10000}}}\n",
            ["F:1:11: secrets: a secret must not be longer than 65536 characters"],
        ),
        (
            "secrets: {a: hunter2, a: hunter2}\n",
            ["F:1:23: secrets: a key in it stands twice; it is in line 1 already"],
        ),
        (
            "secrets: {a: '${hunter_}'}  # hunter2\n",
            ["F:1:14: secrets: the variable hunter_ is not set; set it, or write ${hunter_:-default}"],
        ),
    ],
)
def test_wrong_secrets_are_told_by_place_alone(tmp_path, text, problems):
    """Neither name nor value is shown: one may stand in the other's place."""
    assert PLANTED in text
    assert told(tmp_path, read(tmp_path, text).problems) == problems


@pytest.mark.clause("PROXY-23")
def test_environment_comes_first():
    """One that is set to nothing counts as not set; what is no name is never looked up; a short text is none."""
    secrets = {"A": Secret("file"), "B": Secret("file"), "E": Secret("file")}
    environment = {
        "QUARRY_SECRET_A": "envi",
        "QUARRY_SECRET_E": "env",
        "QUARRY_SECRET_B": "",
        "QUARRY_SECRET_x y": "v",
        "QUARRY_SECRET_": "v",
    }
    found = [secret_of(name, environment, secrets) for name in ("A", "B", "C", "x y", "", "a", "E")]
    assert [secret and secret.reveal() for secret in found] == [
        "envi",
        "file",
        None,
        None,
        None,
        None,
        None,
    ]
    assert secret_of("D", {"QUARRY_SECRET_D": "\udcff"}, {}) is None


@pytest.mark.clause("PROXY-23", "CLI-08")
def test_variables_of_secrets_are_known(tmp_path):
    """Whatever their names; they are no settings."""
    (tmp_path / "c.yaml").write_text("secrets: {A: hunter2}\n")
    environment = {"HOME": str(tmp_path), "QUARRY_SECRET_API_TOKEN": PLANTED, "QUARRY_SECRETS": "x"}
    loaded = load(Inputs(config="c.yaml", environment=environment, cwd=str(tmp_path)))
    assert [warning.split(" is ")[0] for warning in loaded.warnings] == [
        "environment variable QUARRY_SECRETS"
    ]
    assert loaded.settings.secrets == {"A": Secret(PLANTED)}
    assert PLANTED not in repr(loaded)
