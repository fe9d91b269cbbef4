"""The job's parameters as strict JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.config.jobs import parse_job

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


@pytest.mark.clause("CLI-10")
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON, max_size=5), st.booleans())
def test_every_representable_object_is_taken_as_it_is(job, ascii_only):
    """Whatever its escapes."""
    assert parse_job(json.dumps(job, ensure_ascii=ascii_only)) == job


@pytest.mark.clause("CLI-10")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": NaN}', "line 1, column 7: NaN"),
        ('{"a": "NaN \\" Infinity",\n  "b": [1, -Infinity]}', "line 2, column 12: -Infinity"),
        ('{"a": 1,\n "b": {"a": 1}, "a": 2}', 'line 2, column 17: the key "a" stands twice'),
        ('{"\\u0061": 1, "a": 2}', "stands twice"),
        ('{"a": 1e999}', "line 1, column 7: the number is too large"),
        ('{"a": 18446744073709551616}', "beyond 64 bits"),
        ('{"a": -9223372036854775809}', "beyond 64 bits"),
        ('{"a": ' + "9" * 5000 + "}", "beyond 64 bits"),
        ("[1]", "must be a JSON object"),
        ('"x"', "not a string"),
        ("null", "not null"),
        ("true", "not true or false"),
        ("", "it is empty"),
        ("{", "line 1, column 2"),
        ('{"a": 1,}', "line 1, column"),
        ("{'a': 1}", "line 1, column 2"),
        ('{"a": 1} x', "line 1, column 10"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"\\udc00": 1}', "surrogate"),
        ('{"a": ' + "[" * 250 + "]" * 250 + "}", "levels deep"),
        ("[" * 100_000, "levels deep"),
        ('{"a": [{"$secret": 5}]}', 'a "$secret" that is no reference'),
        ('{"$secret": "NAME", "b": 1}', '{"$secret": "NAME"} stands for a secret'),
        ('{"a": {"$secret": "NO-PE"}}', "must be letters, digits and _, and not begin with a digit"),
        ('{"a": "' + "x" * (8 * 1024 * 1024) + '"}', "larger than"),
    ],
)
def test_what_the_wire_could_not_carry_is_refused_with_its_place(text, message):
    """Line and column where there is one to name."""
    with pytest.raises(ValueError) as caught:
        parse_job(text)
    assert message in str(caught.value)


@pytest.mark.clause("PROXY-23")
def test_references_to_secrets_are_taken_as_they_are():
    """Anywhere; a text or a number with such a word is none."""
    job = {"a": {"$secret": "KEY_1"}, "b": [{"$secret": "_x"}, "$secret"]}
    assert parse_job(json.dumps(job)) == job


def test_byte_order_mark_is_dropped():
    """Some editors write one."""
    assert parse_job('\ufeff{"a": 1}') == {"a": 1}
