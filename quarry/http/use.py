"""What a run found out about the endpoints that it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quarry.types.proxy import Endpoint


class ProxyUse:
    """Counts by endpoint, in the order in which the run got them first."""

    def __init__(self) -> None:
        self._figures: dict[Endpoint, _Figures] = {}

    def give(self, endpoint: Endpoint) -> None:
        """Note that the run has an endpoint; again is nothing new."""
        self._figures.setdefault(endpoint, _Figures())

    def carried(self, endpoint: Endpoint, latency_ms: float) -> None:
        """Count a request that it carried.

        Args:
            endpoint: The proxy.
            latency_ms: From the request's start to the response's end.
        """
        figures = self._figures.setdefault(endpoint, _Figures())
        figures.ok += 1
        figures.latency_ms += max(0.0, latency_ms)

    def failed(self, endpoint: Endpoint, requests: int = 1) -> None:
        """Count requests that failed through its fault."""
        self._figures.setdefault(endpoint, _Figures()).failed += requests

    def report(self) -> list[dict[str, Any]]:
        """Give ``proxy_use`` of a ``run_result``: an entry an endpoint, without passwords."""
        return [
            {
                **endpoint.public(),
                "ok": figures.ok,
                "failed": figures.failed,
                "latency_ms": round(figures.latency_ms),
            }
            for endpoint, figures in self._figures.items()
        ]


class _Figures:
    __slots__ = ("failed", "latency_ms", "ok")

    def __init__(self) -> None:
        self.ok = 0
        self.failed = 0
        self.latency_ms = 0.0
