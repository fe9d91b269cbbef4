"""Addresses of Redis."""

from __future__ import annotations

import pytest

from quarry.errors import ConfigError
from quarry.redisio import broker_url, client_url, redacted


@pytest.mark.parametrize(
    ("given", "client", "broker"),
    [
        ("redis://h:6379/2", "redis://h:6379/2", "redis://h:6379/2"),
        ("rediss://u:p@h/0", "rediss://u:p@h/0", "rediss://u:p@h/0"),
        ("rediss://:pw@h/0", "rediss://:pw@h/0", "rediss://:pw@h/0"),
        ("unix:///tmp/s", "unix:///tmp/s?db=0", "redis+socket:///tmp/s?virtual_host=0"),
        ("unix:///tmp/s?db=3", "unix:///tmp/s?db=3", "redis+socket:///tmp/s?virtual_host=3"),
        (
            "redis+socket:///tmp/s?virtual_host=3",
            "unix:///tmp/s?db=3",
            "redis+socket:///tmp/s?virtual_host=3",
        ),
        (
            "redis+socket:///tmp/s?virtual_host=/4",
            "unix:///tmp/s?db=4",
            "redis+socket:///tmp/s?virtual_host=4",
        ),
        ("unix:///tmp/a b", "unix:///tmp/a%20b?db=0", "redis+socket:///tmp/a%20b?virtual_host=0"),
    ],
)
def test_one_address_serves_client_and_broker(given, client, broker):
    """Whichever form a user writes."""
    assert (client_url(given), broker_url(given)) == (client, broker)
    assert (client_url(broker), broker_url(client)) == (client, broker)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h:6379",
        "localhost:6379",
        "amqp://h",
        "sentinel://h",
        "redis://",
        "unix://",
        "unix:///",
        "unix:///s?db=x",
        "unix:///" + "s" * 108,
    ],
)
def test_what_is_no_address_is_refused_with_the_mend(url):
    """A usage error, not a traceback of the client's."""
    with pytest.raises(ConfigError, match=r"write|bytes|number"):
        client_url(url)


def test_a_password_is_never_shown():
    """Neither in messages nor in logs."""
    assert redacted("redis://user:secret@h:1/0") == "redis://user:***@h:1/0"
    assert redacted("redis://:secret@h/0?x=1") == "redis://:***@h/0?x=1"
    assert redacted("redis://h/0") == "redis://h/0"
    for url in ("ftp://user:secret@h/0", "amqp://guest:secret@h//"):
        with pytest.raises(ConfigError) as caught:
            client_url(url)
        assert "secret" not in str(caught.value)
        assert "redis://" in str(caught.value)


@pytest.mark.clause("CLI-31")
@pytest.mark.parametrize("character", "#/?[")
@pytest.mark.parametrize("before", ["", "pa", "12"])
@pytest.mark.parametrize("user", ["", "us", "u%40"])
@pytest.mark.parametrize("after", ["secret", "x=secret"])
def test_a_character_that_should_have_been_percent_encoded_is_named(user, before, character, after):
    """Also where what is left of the address could be one; the password is not shown."""
    with pytest.raises(ConfigError, match="percent-encoded") as caught:
        client_url(f"redis://{user}:{before}{character}{after}@host:6379/0")
    assert "secret" not in str(caught.value)


def test_an_at_sign_in_a_parameter_is_no_mistake():
    """Only the user and the password before the host are cut by special characters."""
    url = "redis://host/0?username=a@b&password=c@d"
    assert client_url(url) == url
