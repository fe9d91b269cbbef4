"""One secret in the texts of programs."""

from __future__ import annotations

import base64
import json
import time
from html import escape
from urllib.parse import quote, quote_plus

import pytest

from quarry.runtime.hidden_text import HiddenText
from quarry.runtime.redact import Redactor
from quarry.types import Secret

VALUES = ["p/w+@:%", "a\"b\\c'd</e> é", "ключ-€😀", "line one\nline two\n\tx", "Plain1", "%%%", "ab cd  ef"]
SPELLINGS = {
    "as it is": str,
    "quote": lambda text: quote(text, safe=""),
    "quote with slashes": quote,
    "quote_plus": quote_plus,
    "lower": lambda text: quote(text, safe="").replace("%2F", "%2f").replace("%C3", "%c3"),
    "quoted twice": lambda text: quote(quote(text, safe="")),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON, not ASCII": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON in JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "repr": lambda text: repr(text)[1:-1],
    "JSON of repr": lambda text: json.dumps(repr(text))[2:-2],
    "ascii": lambda text: ascii(text)[1:-1],
    "bytes": lambda text: repr(text.encode())[2:-1],
    "HTML": escape,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "urlsafe base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
}


@pytest.mark.clause("RUN-08")
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_struck_out(value, spelling):
    """And what stands around it stays."""
    said = SPELLINGS[spelling](value)
    assert HiddenText(value).strike(f"[ {said} ]") == "[ *** ]"


@pytest.mark.clause("RUN-08")
@pytest.mark.parametrize("before", ["", "x", "xy", "user:"])
def test_base64_is_found_wherever_it_begins(before):
    said = base64.b64encode(f"{before}s3cret-pass/w0rd tail".encode()).decode()
    shown = HiddenText("s3cret-pass/w0rd").strike(f"Basic {said}!")
    assert "***" in shown
    assert not {said[at : at + 8] for at in range(6, 20)} & {shown[at : at + 8] for at in range(len(shown))}


@pytest.mark.clause("RUN-08")
def test_lines_of_a_key_are_found_alone():
    """A program that prints one line of a private key has told most of it."""
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n}\n-----END KEY-----\n"
    struck = HiddenText(key).strike
    assert struck(f"first {key} last") == "first *** last"
    assert struck("bad line 'MIIEvQIBADANBgkq' }") == "bad line '***' }"


@pytest.mark.clause("RUN-08")
def test_what_a_cut_leaves_is_struck_out():
    """Of a text whose end or start was cut off, in the middle of the secret."""
    redactor = Redactor([Secret("s3cret-pass/w0rd")])
    assert redactor.text("so it is s3cret-pa…") == "so it is ***…"
    assert redactor.text("…-pass/w0rd it is") == "…*** it is"
    assert redactor.text("et-pass/w0rd it is", cut=True) == "*** it is"
    assert redactor.text("et-pass/w0rd it is") == "et-pass/w0rd it is"


@pytest.mark.clause("RUN-08")
def test_other_texts_stay():
    hidden = HiddenText("p/w+@:%")
    for text in ("", "p w", "p/w", "p%2Fw", "\\" * 100, "%" * 100, "<b>p</b>", "cC93"):
        assert hidden.strike(text) == text


@pytest.mark.parametrize("value", ["a" * 65_536, "x/y" * 20_000, "\\" * 200, "+" * 3_000, "word " * 500])
@pytest.mark.parametrize(
    "text", ["\\" * 65_536, "%25" * 20_000, "a" * 65_536, "x/y" * 20_000, "word " * 13_000]
)
def test_no_text_takes_long(value, text):
    """A run's words must not hold up its neighbours, whatever the secret; far from the square of their length."""
    started = time.process_time()
    HiddenText(value).strike(text)
    assert time.process_time() - started < 5
