"""The search itself: whatever is planted in whatever form is found."""

from __future__ import annotations

import base64
import json
from html import escape
from urllib.parse import quote, quote_plus

import pytest

from tests.leaks.forms import find, forms_of
from tests.leaks.planted import EVERY, SECRETS

SPELLINGS = {
    "as it is": str,
    "quoted": lambda text: quote(text, safe=""),
    "quoted in lower case": lambda text: quote(text, safe="").replace("%2F", "%2f").replace("%3A", "%3a"),
    "quoted as a form": quote_plus,
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps(json.dumps({"job": text})),
    "repr": repr,
    "bytes": lambda text: repr(text.encode()),
    "HTML": escape,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 behind one byte": lambda text: base64.b64encode(b"x" + text.encode()).decode(),
    "base64 behind two bytes": lambda text: base64.b64encode(b"xy" + text.encode()).decode(),
    "urlsafe base64": lambda text: base64.urlsafe_b64encode(b"x" + text.encode()).decode(),
    "Proxy-Authorization": lambda text: "Basic " + base64.b64encode(f"user:{text}".encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "first half": lambda text: text[: text.rindex("pl4nt") + 10],
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("planted", EVERY)
def test_a_planted_secret_is_found(planted, spelling):
    said = f"so be it {SPELLINGS[spelling](EVERY[planted].value)} amen"
    assert find(said.encode(), {planted: SECRETS[planted]})


def test_only_what_is_there_is_found():
    """No secret is taken for another, nor found in a text without one."""
    for name, planted in EVERY.items():
        others = {other: texts for other, texts in SECRETS.items() if other != name}
        assert find(planted.value.encode(), others) == []
    assert find(bytes(range(256)) * 50 + b"m4rker-note" * 50, SECRETS) == []


def test_forms_are_distinct():
    forms = forms_of("a/b c+é\"'\\:@%")
    assert len(set(forms.values())) == len(forms) > 15
