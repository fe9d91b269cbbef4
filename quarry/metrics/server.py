"""The HTTP server that Prometheus asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import start_http_server

from quarry.errors import ConfigError

if TYPE_CHECKING:
    from prometheus_client.registry import CollectorRegistry

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 9108


class MetricsServer:
    """Serves a registry at ``/metrics``, in threads, until `close`.

    Args:
        registry: What is served.
        host: Address to listen on. Nobody is asked for a password: beyond loopback, a network of one's own.
        port: Port; 0 takes any that is free.

    Raises:
        ConfigError: Nobody can listen there.
    """

    def __init__(self, registry: CollectorRegistry, *, host: str, port: int) -> None:
        try:
            self._server, self._thread = start_http_server(port, addr=host, registry=registry)
        except OSError as error:
            raise ConfigError(
                f"metrics can't be served on {host}:{port}: {error.strerror or error}; choose another port"
            ) from error
        self._host = host

    @property
    def url(self) -> str:
        """Address of the metrics."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._server.server_port}/metrics"

    def close(self) -> None:
        """Stop listening; again is no error."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
