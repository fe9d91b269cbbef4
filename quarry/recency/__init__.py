"""Stores of pools: in memory, and in a Redis that the whole fleet asks."""

from quarry.recency.memory import MemoryRecency
from quarry.recency.redis import RedisRecency, recency_scripts

__all__ = ["MemoryRecency", "RedisRecency", "recency_scripts"]
