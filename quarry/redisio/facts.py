"""What a broker's address leads to: one look at it, and the ways in which that fails told apart."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    BusyLoadingError,
    InvalidResponse,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from quarry.errors import ConfigError
from quarry.redisio.client import make_client
from quarry.redisio.handshake import speaks_the_other
from quarry.redisio.urls import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DETAIL_CHARS = 200
_MISMATCH = {True: "it speaks plain TCP there", False: "it speaks TLS there"}


class Reach(StrEnum):
    """How far one got."""

    OK = "ok"
    AWAY = "away"
    """Nobody answers, or it loads its file: worth waiting for."""

    LOGIN = "login"
    """It wants another user or password."""

    TLS = "tls"
    """No TLS connection could be agreed on."""

    FOREIGN = "foreign"
    """Something answers that speaks no Redis protocol."""

    REFUSED = "refused"
    """It answers every command with an error."""


@dataclass(frozen=True, kw_only=True)
class BrokerFacts:
    """One look at a broker.

    Attributes:
        reach: How far the look got; what is below stands only where that is ``ok``.
        detail: What the server or the system said, without secrets; empty where all went well.
        settings_known: False where the user may not ask for INFO, and the rest is not known.
        version: Redis version that it is compatible with.
        cluster: Whether it runs in cluster mode.
        replica: Whether it is a replica of another server.
        maxmemory_policy: What it does when memory is full.
        aof: Whether it keeps an append-only file.
        ahead_s: Seconds that its clock is ahead of this machine's, at least; negative where it is behind;
            None where it could not be asked.
    """

    reach: Reach
    detail: str = ""
    settings_known: bool = False
    version: str = ""
    cluster: bool = False
    replica: bool = False
    maxmemory_policy: str = "noeviction"
    aof: bool = True
    ahead_s: float | None = None


async def read_broker_facts(url: str, *, clock: Callable[[], float] = time.time) -> BrokerFacts:
    """Look at a broker, once; an absent one is a fact and no error.

    Args:
        url: In any spelling that `client_url` knows.
        clock: Unix seconds of this machine.

    Raises:
        ConfigError: The address is malformed.
    """
    try:
        client = make_client(url, max_connections=1)
    except ValueError as error:
        # urlsplit's own message would repeat the port, which a mistyped password may have become.
        raise ConfigError(f"{redacted(url)}: not a Redis address; write redis://HOST:PORT/DB") from error
    try:
        try:
            await client.ping()  # the first command also connects, which would blur the clock's reading
            asked = clock()
            seconds, micros = await client.time()
            answered = clock()
            ahead_s = difference_s(seconds + micros / 1e6, asked=asked, answered=answered)
        except NoPermissionError:
            ahead_s = None
        try:
            info = await client.info()
        except NoPermissionError as error:
            return BrokerFacts(reach=Reach.OK, detail=_shown(error), ahead_s=ahead_s)
        return _facts(info, ahead_s)
    except (RedisError, OSError) as error:
        reach = reach_of(error)
        if reach in (Reach.AWAY, Reach.FOREIGN) and await speaks_the_other(url):
            return BrokerFacts(reach=Reach.TLS, detail=_MISMATCH[url.startswith("rediss")])
        return BrokerFacts(reach=reach, detail=_shown(error))
    finally:
        await client.aclose()


def difference_s(there: float, *, asked: float, answered: float) -> float:
    """Give what two clocks differ by at least, whenever between question and answer the server looked.

    Args:
        there: Unix seconds of the server.
        asked: Unix seconds here when it was asked.
        answered: The same when its answer was there.
    """
    if there > answered:
        return there - answered
    if there < asked:
        return there - asked
    return 0.0


def reach_of(error: BaseException) -> Reach:
    """Say how far one got who met this error."""
    chain = list(_chain(error))
    if any(isinstance(link, ssl.SSLError) for link in chain):
        return Reach.TLS
    if isinstance(error, (AuthenticationError, AuthenticationWrongNumberOfArgsError)):
        return Reach.LOGIN
    if isinstance(error, InvalidResponse):
        return Reach.FOREIGN
    if isinstance(error, ResponseError) and not isinstance(error, BusyLoadingError):
        return Reach.REFUSED
    return Reach.AWAY


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _shown(error: BaseException) -> str:
    if isinstance(error, AuthenticationError) and str(error).startswith("HELLO must"):
        return "it asks for a password"  # in Redis's own words, how to write the command
    return " ".join(str(error).split())[:_DETAIL_CHARS].rstrip(".") or type(error).__name__


def _facts(info: dict[str, Any], ahead_s: float | None) -> BrokerFacts:
    return BrokerFacts(
        reach=Reach.OK,
        settings_known=True,
        version=str(info.get("redis_version", "")),
        cluster=bool(int(info.get("cluster_enabled", 0))),
        replica=str(info.get("role", "master")) != "master",
        maxmemory_policy=str(info.get("maxmemory_policy", "noeviction")),
        aof=bool(int(info.get("aof_enabled", 0))),
        ahead_s=ahead_s,
    )
