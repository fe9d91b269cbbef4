"""The async Redis client with the socket settings that survive half-open connections."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from quarry.redisio.urls import client_url, is_socket

SOCKET_TIMEOUT_S = 10
SOCKET_CONNECT_TIMEOUT_S = 5
HEALTH_CHECK_INTERVAL_S = 10


def make_client(url: str, *, max_connections: int = 32) -> Redis:
    """Make a client; it connects with its first command.

    A command on a connection that died is tried once more at once, on a fresh connection. Waiting for a
    server that is away is `Retrier`'s business.

    Args:
        url: Address in any form that `client_url` knows.
        max_connections: Connections at once; a caller beyond waits for one.

    Returns:
        A client that answers bytes.

    Raises:
        ConfigError: The address is malformed.
    """
    from redis.asyncio import BlockingConnectionPool

    settings: dict[str, Any] = {
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": SOCKET_CONNECT_TIMEOUT_S,
        "health_check_interval": HEALTH_CHECK_INTERVAL_S,
        "retry": Retry(NoBackoff(), 1),
        "decode_responses": False,
    }
    if not is_socket(url):
        settings["socket_keepalive"] = True
    pool = BlockingConnectionPool.from_url(
        client_url(url), max_connections=max_connections, timeout=SOCKET_TIMEOUT_S, **settings
    )
    return Redis.from_pool(pool)
