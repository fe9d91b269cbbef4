"""Kombu's Redis transport, made to drop a message that it cannot read.

Without this a message that is not JSON, is no map, or says a wrong body encoding raises inside the worker's
event loop and ends the process. Messages are hints (the ledger publishes again), so dropping one is
right and ending 256 runs for it is not. A worker that met such a message logs ``broker.message_dropped``.
"""

from __future__ import annotations

from queue import Empty
from typing import TYPE_CHECKING, Any

import structlog
from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.transport import redis as kombu_redis

if TYPE_CHECKING:
    from quarry.tasks.counts import MessageCounts


class GuardedChannel(kombu_redis.Channel):
    """A channel whose read drops what is no JSON."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except (Empty, *self.connection_errors):
            raise
        except Exception as error:
            self.connection.client.counts.unreadable += 1
            _log_drop(error)
            raise Empty from error


class _Guard:
    """Drops a decoded message whose envelope kombu cannot unpack."""

    connection_errors: tuple[type[Exception], ...]
    client: GuardedConnection

    def _deliver(self, message: Any, queue: str) -> None:
        try:
            super()._deliver(message, queue)  # type: ignore[misc]  # kombu's transport is the other base
        except Exception as error:
            # Kombu counts KeyError among the connection's errors for a race of its own poller; out of here it
            # means an envelope without `properties` or `delivery_tag`, and no reconnect would mend that.
            if isinstance(error, self.connection_errors) and not isinstance(error, KeyError):
                raise
            self.client.counts.unreadable += 1
            _log_drop(error)


class GuardedTransport(_Guard, kombu_redis.Transport):  # type: ignore[misc]  # kombu has few types
    """Kombu's Redis transport with both guards."""

    Channel = GuardedChannel


class GuardedConnection(Connection):
    """A kombu connection that uses the guarded transport where kombu would use its own.

    Rejected: naming the transport in ``broker_transport``, which kombu ignores for ``redis+socket://`` and
    which takes TLS off ``rediss://``.
    """

    counts: MessageCounts

    def get_transport_cls(self) -> Any:
        """Return the transport's class for this URL."""
        transport = super().get_transport_cls()  # type: ignore[no-untyped-call]
        return GuardedTransport if transport is kombu_redis.Transport else transport


def make_amqp(counts: MessageCounts) -> type[AMQP]:
    """Make what an app makes its connections with.

    Args:
        counts: Where they count what they drop. It is bound to the class, since kombu copies connections by
            calling their class again.
    """
    bound = type("GuardedConnection", (GuardedConnection,), {"counts": counts})
    return type("GuardedAMQP", (AMQP,), {"Connection": bound})


def _log_drop(error: Exception) -> None:
    # The content stays out: whoever can push a broken message can push a secret in it.
    structlog.get_logger("quarry.tasks").warning(
        "broker.message_dropped", error=type(error).__name__, reason=str(error)[:200]
    )
