"""The two spellings of one broker address: redis-py's for clients, kombu's for Celery.

redis-py says ``unix:///path?db=1`` where kombu says ``redis+socket:///path?virtual_host=1``; both say
``redis://`` and ``rediss://``. Either spelling is taken wherever Quarry takes a broker.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from quarry.errors import ConfigError
from quarry.redisio import redacted

_TCP_SCHEMES = frozenset({"redis", "rediss"})
_UNIX_SCHEMES = frozenset({"unix", "redis+socket"})


@dataclass(frozen=True, kw_only=True)
class BrokerAddress:
    """One broker as each library wants to hear it.

    Attributes:
        client_url: What redis-py takes.
        kombu_url: What Celery's ``broker_url`` takes.
    """

    client_url: str
    kombu_url: str


def parse_broker_url(url: str) -> BrokerAddress:
    """Read a broker address in either spelling.

    Args:
        url: ``redis://``, ``rediss://``, ``unix://`` or ``redis+socket://``.

    Raises:
        ConfigError: Another scheme, or none. The message does not repeat the URL, which may hold a password.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise ConfigError("broker: no URL; write redis://HOST:PORT/DB or unix:///PATH/TO/SOCKET")
    if scheme in _TCP_SCHEMES:
        _check_port(url)
        return BrokerAddress(client_url=url, kombu_url=url)
    if scheme in _UNIX_SCHEMES:
        path, _, query = rest.partition("?")
        return BrokerAddress(
            client_url=f"unix://{path}{_renamed(query, 'virtual_host', 'db')}",
            kombu_url=f"redis+socket://{path}{_renamed(query, 'db', 'virtual_host')}",
        )
    raise ConfigError(f"broker: {scheme}:// is not served; use redis://, rediss:// or unix://")


def _check_port(url: str) -> None:
    try:
        _ = urlsplit(url).port
    except ValueError as error:
        raise ConfigError(
            f"broker: {redacted(url)} is not a Redis address; write redis://HOST:PORT/DB, and percent-encode"
            " what is special in a password"
        ) from error


def _renamed(query: str, old: str, new: str) -> str:
    """Return a query string, its question mark included, with one parameter renamed."""
    pairs = [(new if name == old else name, value) for name, value in parse_qsl(query)]
    return f"?{urlencode(pairs)}" if pairs else ""
