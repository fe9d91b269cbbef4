"""Redis, and the only place that imports its client: addresses, client, scripts, waiting, durability."""

from redis.asyncio import Redis as RedisClient

from quarry.redisio.checks import Finding, Severity, check_broker
from quarry.redisio.client import make_client
from quarry.redisio.durability import make_durable
from quarry.redisio.errors import RedisRefusedError, RedisUnavailableError
from quarry.redisio.facts import BrokerFacts, Reach, read_broker_facts
from quarry.redisio.retrying import Retrier
from quarry.redisio.scripts import Script, ScriptFolder
from quarry.redisio.server import ServerInfo, ping, read_server_info
from quarry.redisio.urls import broker_url, client_url, redacted

__all__ = [
    "BrokerFacts",
    "Finding",
    "Reach",
    "RedisClient",
    "RedisRefusedError",
    "RedisUnavailableError",
    "Retrier",
    "Script",
    "ScriptFolder",
    "ServerInfo",
    "Severity",
    "broker_url",
    "check_broker",
    "client_url",
    "make_client",
    "make_durable",
    "ping",
    "read_broker_facts",
    "read_server_info",
    "redacted",
]
