"""What whoever extends Quarry tests with: the suites that its own implementations pass."""

from quarry.testing.recency import RecencyStoreSuite, make_pool

__all__ = ["RecencyStoreSuite", "make_pool"]
