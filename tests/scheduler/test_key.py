"""The key of a job, and canonical JSON against an independent RFC 8785 implementation."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import random
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.scheduler import JobKeyError, canonical_json, job_key
from tests.services import require_service

# RFC 8785, appendix B: IEEE 754 bits and the number's form.
APPENDIX_B = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.clause("LEDGER-33")
@pytest.mark.parametrize(("bits", "form"), APPENDIX_B.items())
def test_numbers_have_the_form_of_rfc_8785_appendix_b(bits, form):
    """Vectors of the standard itself."""
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_json(number) == form.encode()


def random_document(chance: random.Random, depth: int = 0):
    """A JSON value with awkward numbers, characters of every plane, and nested members."""
    kind = chance.randrange(9 if depth < 4 else 6)
    if kind == 0:
        return chance.choice([None, True, False, 0, -0.0, "", [], {}])
    if kind == 1:
        return chance.randrange(-(2**53) + 1, 2**53)
    if kind in {2, 3}:
        while True:
            (number,) = struct.unpack(">d", chance.randbytes(8))
            if math.isfinite(number):
                return number
    if kind == 4:
        return chance.choice([1.0, 1e21, 1e-7, 123456789.125, 0.1, 5e-324, 1e300, 2.5]) * chance.choice(
            [1, -1]
        )
    if kind == 5:
        return random_text(chance)
    if kind == 6:
        return [random_document(chance, depth + 1) for _ in range(chance.randrange(5))]
    return {random_text(chance): random_document(chance, depth + 1) for _ in range(chance.randrange(6))}


def random_text(chance: random.Random) -> str:
    planes = [(1, 0x7F), (0x80, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF)]
    return "".join(chr(chance.randint(*chance.choice(planes))) for _ in range(chance.randrange(8)))


@pytest.mark.clause("LEDGER-33")
def test_thousands_of_documents_have_the_form_that_node_gives_them():
    """An implementation that shares no line with ours: ECMAScript's numbers, UTF-16 order."""
    node = require_service("node")
    chance = random.Random(8785)
    documents = [random_document(chance) for _ in range(5000)]
    lines = "\n".join(json.dumps(document) for document in documents)
    reply = subprocess.run(
        [node, str(Path(__file__).with_name("rfc8785_vectors.js"))],
        input=lines.encode(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    expected = [base64.b64decode(line) for line in reply.stdout.split(b"\n")]
    assert len(expected) == len(documents)
    for document, form in zip(documents, expected, strict=True):
        assert canonical_json(document) == form


@pytest.mark.clause("LEDGER-33")
def test_a_key_is_the_hash_of_target_zero_byte_and_canonical_params():
    """Computed here by hand."""
    digest = hashlib.sha256(b'list.py\x00{"a":[1,"\xc3\xa9"],"b":null}').hexdigest()
    assert job_key("list.py", {"b": None, "a": [1.0, "é"]}) == digest[:32]


@pytest.mark.clause("LEDGER-34")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}'),
        ('{"a": 1}', '{"a": 1.0}'),
        ('{"a": 0}', '{"a": -0.0}'),
        ('{"a": 100}', '{"a": 1e2}'),
        ('{"a": "\\u00e9"}', '{"a": "é"}'),
        ('{"a": "/"}', '{"a": "\\/"}'),
        ('{"\\ud83d\\ude00": 1}', '{"😀": 1}'),
        ('{"a": 9007199254740993}', '{"a":9007199254740993 }'),
    ],
)
def test_what_is_written_differently_is_one_job(one, other):
    """Order of keys, form of numbers, escapes of a character, blanks."""
    assert job_key("t", json.loads(one)) == job_key("t", json.loads(other))


@pytest.mark.clause("LEDGER-34")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (2**53, 2**53 + 1),
        (-(2**53), -(2**53) - 1),
        (10**30, 10**30 + 1),
        (2**53, str(2**53)),
        (2**53, f"\0i{2**53}"),
        (f"\0i{2**53}", f"\0s\0i{2**53}"),
        ("\0", "\0s\0"),
        (1, "1"),
        (1, True),
        (0, False),
        (None, "null"),
        ([], {}),
        ({"a": None}, {}),
        ([1, 2], [2, 1]),
        ("é", "e\u0301"),
        ({"a": {"b": 1}}, {"a": {"c": 1}}),
    ],
)
def test_what_differs_is_two_jobs(one, other):
    """Integers beyond 2^53 that differ by one, and no string that could pass for one."""
    assert job_key("t", one) != job_key("t", other)
    assert job_key("t", {"v": [one]}) != job_key("t", {"v": [other]})


def test_the_target_is_part_of_the_key():
    """And no target runs into the params."""
    assert job_key("a.py", {}) != job_key("b.py", {})
    assert job_key("a", {"b": 1}) != job_key('a\0{"b":1}', {"b": 1})


class Loop(list):
    """A list that holds itself."""

    def __init__(self):
        super().__init__()
        self.append(self)


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.clause("LEDGER-34")
@pytest.mark.parametrize(
    "params",
    [
        float("nan"),
        {"a": float("inf")},
        [-math.inf],
        {1: "a"},
        {None: 1},
        {("a",): 1},
        {"a": "\ud800"},
        {"\udfff": 1},
        {"a": b"bytes"},
        {"a": {1, 2}},
        {"a": object()},
        {"a": 1 + 2j},
        Loop(),
        deep(100_000),
        {"big": 2**60, "bad": math.nan},
        {"big": 2**60, 3: 4},
        {"big": 2**60, "deep": deep(100_000)},
    ],
    ids=lambda params: type(params).__name__,
)
def test_what_json_does_not_have_is_refused_with_a_sentence(params):
    """A ValueError that says what is wrong; never a traceback out of a library."""
    with pytest.raises(JobKeyError, match="params") as caught:
        job_key("t", params)
    assert isinstance(caught.value, ValueError)


def test_half_a_character_in_the_target_is_refused():
    """It has no bytes to hash."""
    with pytest.raises(JobKeyError, match="target"):
        job_key("\ud800.py", {})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def same(one, other) -> bool:
    """Equality of JSON values, by RFC 8259's types: numbers by value, everything else by type and value."""
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


@given(json_values, json_values)
def test_equal_values_have_equal_forms_and_others_do_not(one, other):
    """Two documents are one job exactly if they are the same JSON value (big floats aside)."""

    def big_float(value):
        if isinstance(value, float):
            return abs(value) >= 2**53
        if isinstance(value, list):
            return any(map(big_float, value))
        return isinstance(value, dict) and any(map(big_float, value.values()))

    if big_float(one) or big_float(other):
        return
    assert (canonical_json(one) == canonical_json(other)) == same(one, other)


@given(json_values)
def test_the_order_of_members_makes_no_difference(value):
    """However a dictionary was filled."""

    def turned(inner):
        if isinstance(inner, dict):
            return {key: turned(inner[key]) for key in reversed(list(inner))}
        return [turned(member) for member in inner] if isinstance(inner, list) else inner

    assert canonical_json(value) == canonical_json(turned(value))
