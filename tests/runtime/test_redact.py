"""Secrets of URLs in what a run says."""

from __future__ import annotations

import pytest

from quarry.runtime import SingleShot
from quarry.runtime.redact import Redactor
from quarry.types import Secret
from quarry.types.proxy import Endpoint
from tests.runtime.support import MemoryFiles, MemoryPolicy, make_spec

SCRIPT = """
import sys

async def run(ctx):
    print(ctx.job["url"], file=sys.stderr)
    raise ValueError(f"no answer from {ctx.job['url']!r}" + "." * ctx.job["pad"])
"""


@pytest.mark.clause("RUN-08")
@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("GET https://user:pw@h/a?b=c: 500", "GET https://***@h/a?b=c: 500"),
        ("'socks5://u:p@ss@h:1'", "'socks5://***@h:1'"),
        ("https://ghp_x@h/", "https://***@h/"),
        ("two: a://x:y@h, b://x:y@h", "two: a://***@h, b://***@h"),
        ("https://h/a?page=2&access_token=x&n=1#f", "https://h/a?page=2&access_token=***&n=1#f"),
        ("(https://h/?X-Amz-Signature=x&API_KEY=y )", "(https://h/?X-Amz-Signature=***&API_KEY=*** )"),
        ("mail me@h or see https://h:8080/@me?q=a@b", "mail me@h or see https://h:8080/@me?q=a@b"),
        ("the proxy's own: pw-1", "the proxy's own: ***"),
    ],
)
def test_secrets_are_struck_out_and_nothing_else(said, shown):
    """User info whole, and query parameters whose names say so."""
    assert Redactor([Secret("pw-1")]).text(said) == shown


@pytest.mark.clause("PROXY-22")
@pytest.mark.parametrize(
    "said", ["p/w 1", "p%2Fw%201", "p%2Fw+1", "cC93IDE=", "cC93IDE", "Basic dTpwL3cgMQ==", "dTpwL3cgMQ"]
)
def test_a_proxy_password_is_struck_out_in_the_forms_that_programs_print(said):
    """As it is, percent-encoded, base64, and as a Proxy-Authorization header has it."""
    redactor = Redactor()
    redactor.learn_endpoint(
        Endpoint(protocol="http", host="h", port=1, username="u", password=Secret("p/w 1"))
    )
    assert redactor.text(f"it said {said} to me") in {"it said *** to me", "it said Basic *** to me"}


@pytest.mark.clause("PROXY-02")
@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("the proxy http://u@h:1 refused", None),
        ("(socks5://a:b@[2001:db8::1]:1080)", None),
        ("socks5://me@corp@h:2", None),
        ("http://u@h:1/ and http://v@h:1", "http://u@h:1/ and http://***@h:1"),
        ("http://u@h:12 http://u@hh:1 https://u@h:1", "http://***@h:12 http://***@hh:1 https://***@h:1"),
        ("http://u:x@h:1 http://u@h http://u@h:1@g:1", "http://***@h:1 http://***@h http://***@g:1"),
        ("http://u:s3cret-pass@h:1", "http://***@h:1"),
    ],
)
def test_an_endpoint_stays_readable(said, shown):
    """Its identity, exactly; another user, or one with a password, does not."""
    redactor = Redactor()
    for username, host, port in (("u", "h", 1), ("a:b", "2001:db8::1", 1080), ("me@corp", "h", 2)):
        protocol = "http" if port == 1 else "socks5"
        password = Secret("s3cret-pass")
        redactor.learn_endpoint(
            Endpoint(protocol=protocol, host=host, port=port, username=username, password=password)
        )
    assert redactor.text(said) == (said if shown is None else shown)
    other = Redactor()
    other.learn_all(redactor)
    assert other.text(said) == redactor.text(said)


@pytest.mark.clause("RUN-08")
def test_a_short_password_is_struck_out_behind_its_username_only():
    """Alone it stands in any text: of that nothing would be left to read."""
    redactor = Redactor()
    redactor.learn_endpoint(
        Endpoint(protocol="http", host="h", port=1, username="user", password=Secret("en"))
    )
    assert redactor.text("then the men went") == "then the men went"
    said = "user:en, Basic dXNlcjplbg==, http://user:en@h:1, user%3Aen"
    assert redactor.text(said) == "***, Basic ***, http://***@h:1, ***"


@pytest.mark.clause("PROXY-02")
def test_an_empty_password_is_no_secret():
    """Such a username is the endpoint's name like any other."""
    redactor = Redactor()
    redactor.learn_endpoint(Endpoint(protocol="http", host="h", port=1, username="user", password=Secret("")))
    assert redactor.text("user: http://user@h:1, http://user:@h:1") == "user: http://user@h:1, http://***@h:1"


def test_a_text_made_to_take_long_does_not():
    """A run's own words must not hold up its neighbours: 64 KiB, and far from the square of it."""
    for text in ("?" + "token" * 13_000, "&token" * 11_000, "://" * 22_000, "://" + "a" * 65_000):
        assert Redactor().text(text) == text
    redactor = Redactor()
    redactor.learn_endpoint(
        Endpoint(protocol="http", host="h", port=1, username="u", password=Secret("s3cret-pass"))
    )
    for text in ("http://u@h:1 " * 5_000, "http://u@" + "h" * 65_000):
        assert redactor.text(text) == text.replace("u@hh", "***@hh")


@pytest.mark.clause("RUN-08")
@pytest.mark.parametrize("pad", [0, 5_000])
async def test_what_a_script_quotes_is_in_no_outcome(tmp_path, pad):
    """An exception's message is in the log and in the record: neither it nor the stack nor stderr tells the password."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    spec = make_spec(str(path), job={"url": "https://user:hunter2@h.test/?token=hunter2", "pad": pad})
    report = await SingleShot().execute(spec, policy=MemoryPolicy(), put_file=MemoryFiles())
    assert report.outcome.status == "script_error"
    assert report.outcome.message.startswith("no answer from 'https://***@h.test/?token=***'")
    assert "hunter2" not in report.to_json()
