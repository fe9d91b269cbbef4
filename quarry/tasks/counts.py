"""Messages that came to nothing, counted a worker process."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass
class MessageCounts:
    """How many messages were dropped since this process started, by reason.

    Each is raised by one thread only: the first two by Celery's, the last by the deliveries' loop.

    Attributes:
        unreadable: No JSON, no envelope.
        refused: An envelope, but of no task, of another one, or without (crawl, key).
        crawl_gone: A crawl that this Redis does not hold.
    """

    unreadable: int = 0
    refused: int = 0
    crawl_gone: int = 0

    def as_dict(self) -> dict[str, int]:
        """Give them by name, with their sum as ``dropped``."""
        each = asdict(self)
        return {"dropped": sum(each.values()), **each}
