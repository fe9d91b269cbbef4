from __future__ import annotations

import pytest

from quarry.errors import ConfigError
from quarry.tasks.urls import parse_broker_url


@pytest.mark.parametrize(
    ("given", "client", "kombu"),
    [
        ("redis://h:6379/1", "redis://h:6379/1", "redis://h:6379/1"),
        ("rediss://:pw@h/0", "rediss://:pw@h/0", "rediss://:pw@h/0"),
        ("unix:///tmp/a.sock", "unix:///tmp/a.sock", "redis+socket:///tmp/a.sock"),
        ("unix:///tmp/a.sock?db=2", "unix:///tmp/a.sock?db=2", "redis+socket:///tmp/a.sock?virtual_host=2"),
        (
            "redis+socket:///tmp/a.sock?virtual_host=2",
            "unix:///tmp/a.sock?db=2",
            "redis+socket:///tmp/a.sock?virtual_host=2",
        ),
    ],
)
def test_either_spelling_gives_both(given: str, client: str, kombu: str) -> None:
    """redis-py's and kombu's spelling of an address are both read, and each library gets its own."""
    address = parse_broker_url(given)
    assert (address.client_url, address.kombu_url) == (client, kombu)


@pytest.mark.parametrize("given", ["", "localhost:6379", "amqp://guest:secret@h//", "sentinel://h"])
def test_another_scheme_is_refused_without_showing_the_url(given: str) -> None:
    """A broker that is not Redis is a configuration error, and its password stays out of the message."""
    with pytest.raises(ConfigError) as caught:
        parse_broker_url(given)
    assert "secret" not in str(caught.value)
    assert "redis://" in str(caught.value)
