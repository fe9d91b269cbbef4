"""What a worker process tells of its work, for whoever counts it."""

# ruff: noqa: ARG002 -- the bodies that NoFigures inherits do nothing with what they are told

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Figures(Protocol):
    """Told of what happens. Every call is quick, raises nothing, and may come from any thread.

    The calls have bodies that do nothing: `NoFigures` inherits them.
    """

    def delivery_began(self) -> None:
        """A message was taken up."""
        return

    def delivery_ended(self, how: str) -> None:
        """Its delivery ended: ``committed``, ``adopted``, ``retry_ok``, ``given_up``, ``error`` …."""
        return

    def redelivered(self) -> None:
        """A claimed run had been delivered before."""
        return

    def run_ended(
        self,
        outcome: str,
        seconds: float,
        *,
        received: Mapping[str, int],
        dropped: Mapping[str, int],
        stored_bytes: int,
    ) -> None:
        """A run was executed to its outcome.

        Args:
            outcome: One of the five.
            seconds: Wall time of the run.
            received: Events by type.
            dropped: Events that its policy did not keep, by type.
            stored_bytes: Bytes of the files that it leaves.
        """
        return

    def lease_lost(self) -> None:
        """The ledger said that a lease is not ours any more."""
        return

    def executor_started(self) -> None:
        """An executor process of the pool is there."""
        return

    def proxy_pool_known(self, pool: str) -> None:
        """Runs may get their endpoints from this pool."""
        return

    def proxy_chosen(self, pool: str, endpoint: str, reason: str) -> None:
        """A run got an endpoint.

        Args:
            pool: Its name.
            endpoint: Its identity, or ``other``.
            reason: Why this one.
        """
        return

    def proxy_reported(self, pool: str, endpoint: str, *, ok: int, failed: int, latency_s: float) -> None:
        """A run told how its requests through an endpoint ended."""
        return

    def proxy_rested(self, pool: str, endpoint: str) -> None:
        """An endpoint began to rest."""
        return

    def close(self) -> None:
        """Nothing more is told."""
        return


class NoFigures(Figures):
    """Counts nothing."""


def open_figures(environ: Mapping[str, str]) -> Figures:
    """Give what counts for this process: served to Prometheus where ``QUARRY_METRICS_PORT`` asks for it.

    Args:
        environ: All environment variables; ``QUARRY_METRICS_HOST`` is the address, loopback by default.

    Raises:
        ConfigError: The port is none, or is taken.
    """
    text = environ.get("QUARRY_METRICS_PORT")
    if not text:
        return NoFigures()
    from quarry.config.values import integer_between
    from quarry.errors import ConfigError
    from quarry.metrics.worker import WorkerFigures

    try:
        port = integer_between(0, _MAX_PORT)(text)
    except ValueError as error:
        raise ConfigError(f"QUARRY_METRICS_PORT: {error}, not {text!r}") from error
    return WorkerFigures.served(host=environ.get("QUARRY_METRICS_HOST") or "127.0.0.1", port=port)


_MAX_PORT = 65_535
