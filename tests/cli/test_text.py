"""Text from data: shown safely, as text and as documents."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.cli.output import json_text
from quarry.cli.visible import visible
from quarry.config.yaml_text import dump_yaml

UNSAFE = "\x00\x07\x1b\x7f\x85\x9b\u202e\u2066\u2028\ud800\n\r\t"


@pytest.mark.clause("CLI-20")
@given(st.text(st.characters() | st.sampled_from(UNSAFE)))
def test_no_text_reaches_a_terminal_with_a_control_character(text):
    """Nor with a line end, an override, or half a surrogate pair."""
    shown = visible(text)
    assert not set(shown) & set(UNSAFE)
    shown.encode()


@pytest.mark.clause("CLI-20")
def test_ordinary_text_stays_as_it_is():
    """Whatever its script; joiners are part of it."""
    text = "Ünïcode 日本語 👩\u200d👧 क्\u200dष"
    assert visible(text) == text
    assert visible("\x1b[31m\u202e") == "\\x1b[31m\\u202e"


@pytest.mark.clause("CLI-16", "CLI-20")
@given(st.dictionaries(st.text(), st.text(st.characters() | st.sampled_from(UNSAFE))))
def test_json_holds_every_text_and_is_safe_to_show(value):
    """It reads back as it was."""
    text = json_text(value)
    assert json.loads(text) == value
    assert not set(text) & set(UNSAFE) - {"\n"}
    text.encode()


@pytest.mark.clause("CLI-16")
def test_yaml_keeps_texts_texts():
    """What looks like a number, a date or a truth value is quoted."""
    from ruamel.yaml import YAML

    value = {
        "a": "007",
        "b": "no",
        "c": "2026-01-31",
        "d": "1.0",
        "e": "\x1b",
        "f": [None, True, 1.5],
        "g": "",
    }
    text = dump_yaml(value)
    assert YAML(typ="safe").load(text) == value
    assert "\x1b" not in text
