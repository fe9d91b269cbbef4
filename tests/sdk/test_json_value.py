"""What counts as JSON, and how a fault is located."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
from collections import OrderedDict, namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.sdk.json_value import MAX_DEPTH, NotJsonError, copy_json, plain_json

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)
FAULTS = st.sampled_from(
    [math.nan, math.inf, -math.inf, 2**64, -(2**63) - 1, b"x", {1}, "\ud800", object(), {1: 2}, {"\udfff": 1}]
)


@given(VALUES)
@pytest.mark.clause("EMIT-05")
def test_json_passes_unchanged(value):
    """A plain value is given back itself, without a copy, and JSON carries it exactly."""
    assert plain_json(value) is value
    assert json.loads(json.dumps(value)) == value


@given(VALUES, st.lists(KEYS | st.integers(0, 3), max_size=6), FAULTS)
@pytest.mark.clause("EMIT-06")
def test_a_fault_is_found_and_its_place_named(value, path, fault):
    """Wherever one foreign value hides, it is refused and the path leads to it."""
    nested, steps = fault, []
    for step in path:
        nested = [value] * step + [nested] if isinstance(step, int) else {"no" + step: value, step: nested}
        steps.insert(0, step)
    with pytest.raises(NotJsonError) as raised:
        plain_json(nested)
    named = list(reversed(raised.value.steps))
    assert named[: len(steps)] == steps
    assert len(named) <= len(steps) + 1


@given(VALUES)
@pytest.mark.clause("EMIT-08")
def test_a_copy_shares_nothing_that_can_change(value):
    """A copy is equal, and none of its maps and lists is the original's."""
    copy = copy_json(value)
    assert copy == value
    if isinstance(value, (list, dict)):
        assert copy is not value


class _Text(str, enum.Enum):  # noqa: UP042 - the older spelling is what scripts have
    RED = "red"


class _Number(enum.IntEnum):
    ONE = 1


@pytest.mark.clause("EMIT-05")
def test_subclasses_become_their_plain_forms():
    """Enums, ordered maps and tuples are emitted as what they stand for."""
    pair = namedtuple("pair", "a b")(1, (2, 3))  # noqa: PYI024 - as in old scripts
    plain = plain_json({"e": _Text.RED, "n": _Number.ONE, "o": OrderedDict(x=1), "p": pair, _Text.RED: True})
    assert plain == {"e": "red", "n": 1, "o": {"x": 1}, "p": [1, [2, 3]], "red": True}
    assert [type(part) for part in (plain["e"], plain["n"], plain["o"], plain["p"])] == [str, int, dict, list]


@pytest.mark.clause("EMIT-05")
def test_the_original_is_never_changed():
    """Replacing foreign parts happens in a copy."""
    data = {"a": [(1, 2)]}
    assert plain_json(data) == {"a": [[1, 2]]}
    assert data == {"a": [(1, 2)]}


@pytest.mark.clause("EMIT-05")
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "is NaN"),
        (math.inf, "an infinity"),
        (b"x", "type bytes"),
        ({1, 2}, "sorted list"),
        (dt.date(2026, 1, 1), "isoformat"),
        (2**64, "beyond 64 bits"),
        ({1: 2}, "keys must be strings"),
        ("\ud800", "lone surrogate"),
    ],
)
def test_the_reason_says_what_to_do(value, reason):
    """Each refusal says why."""
    with pytest.raises(NotJsonError, match=reason):
        plain_json(value)


@pytest.mark.clause("EMIT-05")
def test_circles_and_depth_are_told_apart():
    """A circle is called one, however long; honest depth passes to the bound and not beyond."""
    circle = {"a": [{}]}
    circle["a"][0]["b"] = circle
    with pytest.raises(NotJsonError, match="circular"):
        plain_json(circle)
    deep = value = []
    for _ in range(MAX_DEPTH - 1):
        value.append([])
        value = value[0]
    assert plain_json(deep) is deep
    value.append([])
    with pytest.raises(NotJsonError, match="deeper than 128"):
        plain_json(deep)


@pytest.mark.clause("EMIT-05")
def test_shared_parts_are_no_circle():
    """The same list twice is written twice."""
    part = [1]
    assert plain_json({"a": part, "b": part}) == {"a": [1], "b": [1]}


@pytest.mark.clause("EMIT-06")
def test_a_path_reads_as_the_author_would_write_it():
    """Names with dots, indexes in brackets, other keys quoted."""
    with pytest.raises(NotJsonError) as raised:
        plain_json({"price": [1, 2, {"a b": math.nan}]})
    assert raised.value.path("data") == "data.price[2]['a b']"
