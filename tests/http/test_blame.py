"""Whose fault a failure through a proxy is: the rule by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quarry.http.blame import Trace, find_blame, is_lifeless, is_silent, timed_out_unheard


def trace(code, protocol="http", **known):
    """A transfer over one new connection."""
    return Trace(
        code=code, protocol=protocol, **{"tunnelled": False, "connections": 1, "reached": True, **known}
    )


OF_THE_PROXY = {
    "its name is unknown": trace(5, connections=0, reached=False),
    "it refuses the connection": trace(7, connections=0, reached=False),
    "a socks proxy refuses the connection": trace(7, "socks5", connections=0, reached=False),
    "no connection in time": trace(28, connections=0, reached=False),
    "no TLS in time": trace(28, "https", reached=False, proxy_verified=False),
    "its TLS fails": trace(35, "https", proxy_verified=False),
    "its certificate is bad": trace(60, "https", tunnelled=True, proxy_verified=False),
    "it breaks off before it answers CONNECT": trace(56, tunnelled=True),
    "other credentials": trace(7, tunnelled=True, answer=407),
    "other credentials, as tinyproxy says it": trace(7, tunnelled=True, answer=401),
    "another libcurl gives another code": trace(56, tunnelled=True, answer=407),
    "it answers CONNECT with a redirect": trace(7, tunnelled=True, answer=302),
    "socks: user rejected": trace(97, "socks5", socks=33),
    "socks: no acceptable method": trace(97, "socks5", socks=12),
    "socks: closed in the handshake": trace(97, "socks5", socks=15),
    "socks: no SOCKS at all": trace(97, "socks5", socks=2),
}

REFUSED = {
    **{f"CONNECT {status}": trace(7, tunnelled=True, answer=status) for status in (402, 403, 405, 451)},
    "another libcurl gives another code": trace(56, tunnelled=True, answer=403),
    "for now": trace(7, tunnelled=True, answer=429),
    "socks: not allowed by its rules": trace(97, "socks5", socks=23),
}

OF_THE_TARGET = {
    "it is slow": trace(28),
    "it is slow, over an old connection": trace(28, connections=0),
    "no answer to CONNECT in time": trace(28, tunnelled=True, reached=False),
    "its certificate is bad": trace(60, tunnelled=True, answer=200),
    "its certificate is bad, behind an https proxy": trace(60, "https", tunnelled=True, answer=200),
    "its certificate is bad, behind socks": trace(60, "socks5"),
    "it breaks off": trace(52),
    "it breaks off in the tunnel": trace(56, tunnelled=True, answer=200),
    "it breaks off in an old tunnel": trace(56, tunnelled=True, connections=0),
    "the authorities' file is missing": trace(77, "https", proxy_verified=False),
    "too many redirects": trace(47),
}

UNREACHABLE = {
    **{f"CONNECT {status}": trace(7, tunnelled=True, answer=status) for status in (500, 502, 503, 504)},
    **{f"socks {error}": trace(97, "socks5", socks=error) for error in (19, 20, 21, 22, 24)},
}

UNHEARD = {
    "plain HTTP": trace(28),
    "plain HTTP, over an old connection": trace(28, connections=0),
    "no answer to CONNECT": trace(28, tunnelled=True, reached=False),
    "in an old tunnel": trace(28, tunnelled=True, connections=0),
    "no TLS with the target, but with the proxy": trace(28, "https", tunnelled=True, reached=False),
    "no SOCKS reply": trace(28, "socks5", reached=False),
    "behind an old SOCKS connection": trace(28, "socks5", connections=0),
}

HEARD = {
    "part of a response": trace(28, heard=True),
    "the tunnel stood just now": trace(28, tunnelled=True, answer=200, heard=True),
    "the SOCKS proxy has just replied": trace(28, "socks5"),
    "no timeout": trace(52),
}

LIFELESS = {
    "no connection": trace(7, connections=0, reached=False),
    "its name is unknown": trace(5, connections=0, reached=False),
    "no answer in time": trace(28, tunnelled=True, reached=False),
    "no SOCKS reply in time": trace(28, "socks5", reached=False),
}

ALIVE = {
    "it refuses": trace(7, tunnelled=True, answer=403),
    "other credentials": trace(7, tunnelled=True, answer=407),
    "nobody there": trace(7, tunnelled=True, answer=500),
    "another libcurl gives another code": trace(56, tunnelled=True, answer=502),
    "it closes the connection": trace(56, tunnelled=True),
    "its certificate is bad": trace(60, "https", tunnelled=True, proxy_verified=False),
    "socks: nobody there": trace(97, "socks5", socks=19),
    "socks: closed": trace(97, "socks5", socks=15),
}


@pytest.mark.clause("PROXY-18")
@pytest.mark.parametrize("case", UNHEARD)
def test_timeouts_with_no_sign_of_the_proxy(case):
    """They are nobody's until the proxy was asked."""
    assert find_blame(UNHEARD[case]) is None
    assert timed_out_unheard(UNHEARD[case])
    assert is_silent(replace(UNHEARD[case], code=0))


@pytest.mark.clause("PROXY-18")
@pytest.mark.parametrize("case", HEARD)
def test_failures_with_a_sign_of_the_proxy(case):
    """It did its part in this very transfer, so it is not asked."""
    assert not timed_out_unheard(HEARD[case])


@pytest.mark.clause("PROXY-18")
@pytest.mark.parametrize("case", [*LIFELESS, *ALIVE])
def test_signs_of_life(case):
    """Whatever a proxy does about a question for a tunnel shows that it lives; only silence and absence don't."""
    assert is_lifeless({**LIFELESS, **ALIVE}[case]) is (case in LIFELESS)


@pytest.mark.clause("PROXY-18")
@pytest.mark.parametrize("case", OF_THE_PROXY)
def test_failures_of_the_proxy(case):
    """They are of kind proxy; only what says so of the credentials can't be mended by trying again."""
    blame = find_blame(OF_THE_PROXY[case])
    assert blame is not None
    assert (blame.kind, blame.target_refused) == ("proxy", False)
    assert blame.lasting is (OF_THE_PROXY[case].answer in {401, 407} or OF_THE_PROXY[case].socks in {12, 33})


@pytest.mark.clause("PROXY-18")
@pytest.mark.parametrize("case", REFUSED)
def test_targets_that_the_proxy_refuses(case):
    """They are of kind proxy, and no failure of its health; only a refusal for now is tried again."""
    blame = find_blame(REFUSED[case])
    assert blame is not None
    assert (blame.kind, blame.target_refused) == ("proxy", True)
    assert blame.lasting is (case != "for now")


@pytest.mark.clause("PROXY-18")
@pytest.mark.parametrize("case", OF_THE_TARGET)
def test_failures_of_the_target(case):
    """They are what they are without a proxy."""
    assert find_blame(OF_THE_TARGET[case]) is None


@pytest.mark.clause("PROXY-18")
@pytest.mark.parametrize("case", UNREACHABLE)
def test_a_target_that_the_proxy_cant_reach(case):
    """It is the target's, and reads as a connection that could not be made."""
    blame = find_blame(UNREACHABLE[case])
    assert blame is not None
    assert (blame.kind, blame.lasting) == ("connect", False)
