"""Figures for Prometheus, and the only place that imports its client. Fed with plain values; knows no Redis.

Light on purpose: what needs prometheus_client is in the modules `fleet`, `worker` and `server`.
"""

from quarry.metrics.figures import CrawlFigures, FleetFigures, PoolUse

__all__ = ["CrawlFigures", "FleetFigures", "PoolUse"]
