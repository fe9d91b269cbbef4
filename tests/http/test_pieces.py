"""URLs, encodings, cookies, headers and pauses, without a network."""

from __future__ import annotations

import random
from urllib.parse import urljoin

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quarry.http import FetchError, Headers, Response, endpoint_of, proxy_address
from quarry.http.charset import find_encoding
from quarry.http.cookies import CookieStore
from quarry.http.headers import parse_headers
from quarry.http.retry import delay_s, may_retry
from quarry.http.url import public_url, request_url


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://h/a?b=c", "http://h/a?b=c"),
        ("http://h/a b", "http://h/a%20b"),
        (" http://h/ä?ö=ü#frag ", "http://h/%C3%A4?%C3%B6=%C3%BC"),
        ("http://h/%20%zz", "http://h/%20%25zz"),
        ('http://h/"<>\\^`{}', "http://h/%22%3C%3E%5C%5E%60%7B%7D"),
        ("HTTP://H/x", "http://H/x"),
        ("http://h/x#frag", "http://h/x"),
    ],
)
def test_urls_are_made_fit_for_the_wire(url, sent):
    """Escapes stay, everything else that may not stand in a URL is escaped, fragments are not sent."""
    assert request_url(url) == sent


@pytest.mark.parametrize(
    "url", ["", "/x", "h/x", "ftp://h/", "javascript:x", "http://", "http:///x", "http://[x"]
)
def test_other_urls_are_refused(url):
    """Before anything is sent."""
    with pytest.raises(FetchError) as raised:
        request_url(url)
    assert raised.value.kind == "url"


@given(st.text(max_size=40))
def test_any_text_is_a_url_or_an_error(text):
    """Nothing else escapes, and what passes is ASCII without blanks."""
    try:
        sent = request_url(f"http://host/{text}")
    except FetchError:
        return
    assert sent.isascii()
    assert not set(sent) & set(" \t\r\n\0")


def test_messages_show_urls_without_user_info():
    """Whatever follows."""
    assert public_url("http://u:p@h:1/a@b") == "http://h:1/a@b"
    assert public_url("http://h") == "http://h"
    assert public_url("not a url") == "not a url"


HREFS = st.text(max_size=30) | st.text("ab-_./?=&#;:%20 ä", max_size=12)
BASES = st.text("ab./?#;=", max_size=10).map("http://h:1/".__add__) | st.just("http://h")


@given(HREFS, BASES)
@settings(max_examples=1000)
@example("", "http://h/a/b?c")
@example("/", "http://h/a/b?c")
@example("?a=b", "http://h/a/b?c")
@example("#top", "http://h/a/b?c")
@example("x.html#top", "http://h/a/b?c")
def test_links_join_as_the_standard_library_joins_them(href, base):
    """For any text in an attribute, and any page."""
    response = Response(status_code=200, url=base, header_lines=[], content=b"")
    try:
        expected = urljoin(base, href.strip())
    except ValueError:
        with pytest.raises(ValueError):
            response.urljoin(href)
        return
    assert response.urljoin(href) == expected


@pytest.mark.parametrize(
    ("content_type", "content", "encoding"),
    [
        ("", b"plain", "utf-8"),
        ("text/html; charset=ISO-8859-1", b"", "cp1252"),
        ('text/html; charset="koi8-r"', b"", "koi8-r"),
        ("text/html; charset=made-up", b'<meta charset="shift_jis">', "shift_jis"),
        ("text/html", b"<meta http-equiv=x content='text/html; charset=gb2312'>", "gb18030"),
        ("text/html; charset=latin1", b"\xef\xbb\xbfx", "utf-8-sig"),
        ("", b"\xff\xfex\0", "utf-16"),
        ("text/html; charset=rot13", b"", "utf-8"),
    ],
)
def test_the_encoding_is_found(content_type, content, encoding):
    """Byte order mark, header, meta element, else UTF-8; unknown names are passed over."""
    assert find_encoding(content_type, content) == encoding


def test_the_encoding_may_be_set():
    """For pages that lie about theirs."""
    response = Response(status_code=200, url="http://h/", header_lines=[], content="ж".encode("koi8-r"))
    assert response.text == "\ufffd"
    response.encoding = "koi8-r"
    assert response.text == "ж"


def test_headers_keep_every_value():
    """Names without case, continuation lines joined, nonsense skipped."""
    lines = [
        b"Set-Cookie: a=1\r\n",
        b"set-cookie: b=2\r\n",
        b"X: one\r\n",
        b"\ttwo\r\n",
        b"junk\r\n",
        b"L: \xe9\r\n",
    ]
    headers = Headers(parse_headers(lines))
    assert headers.get_all("SET-COOKIE") == ["a=1", "b=2"]
    assert headers["X"] == "one two"
    assert headers["l"] == "é"
    assert list(headers) == ["set-cookie", "x", "l"]
    assert "junk" not in headers
    assert headers.get("nothing") is None


def test_cookie_lines_are_merged():
    """New values replace, what was sent and is gone is forgotten, what others brought meanwhile stays."""
    store = CookieStore()
    first = "h\tFALSE\t/\tFALSE\t0\ta\t1"
    store.merge([], [first, "broken line"])
    store.put("mine", "x", domain=".h", secure=True)
    sent = store.lines()
    other = "#HttpOnly_h\tFALSE\t/p\tFALSE\t0\tb\t2"
    store.merge([], [other])
    store.merge(sent, [first.replace("a\t1", "a\t9")])
    assert store.values() == {"a": "9", "b": "2"}
    with pytest.raises(ValueError, match="tabs"):
        store.put("a\tb", "", domain="h")


def test_pauses_grow_up_to_a_bound():
    """Half to all of 0.5 s, doubled with each try, ten seconds at most."""
    source = random.Random(1)
    for tried in range(1, 12):
        bound = min(10.0, 0.5 * 2 ** (tried - 1))
        assert all(bound / 2 <= delay_s(tried, source.random) <= bound for _ in range(50))


def test_what_is_tried_again():
    """Connection errors of idempotent methods, while tries are left."""
    broken = FetchError("x", kind="broken", url="")
    assert may_retry(broken, "GET", tried=2, retries=2)
    assert not may_retry(broken, "GET", tried=3, retries=2)
    assert not may_retry(broken, "POST", tried=1, retries=2)
    assert not may_retry(FetchError("x", kind="timeout", url=""), "GET", tried=1, retries=2)
    lasting = FetchError("x", kind="proxy", url="", lasting=True)
    assert not lasting.retryable
    assert not may_retry(lasting, "GET", tried=1, retries=2)


def test_a_proxy_reads_as_an_address_without_password():
    """SOCKS5 leaves names to the proxy; IPv6 addresses get brackets."""
    proxy = endpoint_of({"protocol": "socks5", "host": "::1", "port": 1080, "username": "u", "password": "p"})
    assert proxy_address(proxy) == "socks5h://[::1]:1080"
    assert proxy.public() == {"protocol": "socks5", "host": "::1", "port": 1080, "username": "u"}
    assert "'p'" not in repr(proxy)
    assert proxy.password.reveal() == "p"
