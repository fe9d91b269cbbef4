"""What can go wrong between here and Redis, in our own words."""

from __future__ import annotations

from quarry.errors import SchedulerError


class RedisUnavailableError(SchedulerError):
    """Redis did not answer within the time that is waited for it."""

    code = "redis_unavailable"


class RedisRefusedError(SchedulerError):
    """Redis answered with an error: out of memory, no permission, a wrong kind of key."""

    code = "redis_refused"
