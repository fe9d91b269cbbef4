"""The type that holds secrets gives them away to nobody who does not ask."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import msgspec
import pytest

from quarry.types import Secret
from quarry.types.proxy import Endpoint

PASSWORD = "pa55-word"

pytestmark = pytest.mark.clause("PROXY-22")


def _endpoint():
    return Endpoint(protocol="http", host="h", port=1, username="u", password=Secret(PASSWORD))


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r:>20}".format, "%s".__mod__, ascii])
@pytest.mark.parametrize(
    "thing", [Secret(PASSWORD), _endpoint(), [Secret(PASSWORD)], {"p": Secret(PASSWORD)}]
)
def test_no_form_of_text_shows_it(show, thing):
    """Alone, in values, in containers."""
    assert PASSWORD not in show(thing)


@pytest.mark.parametrize(
    "encode",
    [json.dumps, pickle.dumps, msgspec.json.encode, msgspec.msgpack.encode, msgspec.to_builtins],
)
def test_encoders_refuse_it(encode):
    """A value that holds one can't be sent by mistake."""
    for thing in (Secret(PASSWORD), _endpoint()):
        with pytest.raises(TypeError) as caught:
            encode(thing)
        assert PASSWORD not in str(caught.value)


def test_copies_hold_it_still():
    """A settings object may be copied."""
    for other in (
        copy.copy(_endpoint()),
        copy.deepcopy(_endpoint()),
        dataclasses.replace(_endpoint(), port=2),
    ):
        assert other.password == Secret(PASSWORD)
        assert other.password.reveal() == PASSWORD
    assert Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
    assert (bool(Secret("")), bool(Secret("a"))) == (False, True)


def test_an_endpoint_is_named_without_it():
    """Identity and public form have protocol, host, port and username."""
    assert _endpoint().identity == "http://u@h:1"
    assert _endpoint().public() == {"protocol": "http", "host": "h", "port": 1, "username": "u"}
    assert Endpoint(protocol="socks5", host="::1", port=2).identity == "socks5://[::1]:2"
