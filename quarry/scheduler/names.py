"""Names of a crawl's keys in Redis. All but the broker's list share one hash tag."""

from __future__ import annotations

from quarry.errors import ConfigError
from quarry.types import is_safe_segment

BUCKETS = 16_384
_BUCKET_HEX_DIGITS = 4
_PARTS = ("meta", "n", "st", "job", "msg", "pending", "leases", "unclaimed", "owed", "used")


class Names:
    """The keys of one crawl.

    Args:
        crawl: Crawl id; safe as a path segment, so that it can stand in a key and in JSON as it is.
        queue: The broker's list.

    Raises:
        ConfigError: The crawl id is not safe.
    """

    __slots__ = ("_prefix", "fixed")

    def __init__(self, crawl: str, queue: str) -> None:
        if not is_safe_segment(crawl):
            raise ConfigError(f"crawl id {crawl!r}: only letters, digits and ._-:@+=~ may be in it")
        self._prefix = f"q:{{{crawl}}}:"
        self.fixed: tuple[str, ...] = (*(self._prefix + part for part in _PARTS), queue)

    @property
    def used(self) -> str:
        """The bitmap of the buckets that exist."""
        return self.fixed[9]

    @property
    def unclaimed(self) -> str:
        """The leases that wait for a worker."""
        return self.fixed[7]

    def bucket(self, key: str) -> str:
        """Give the bucket of a job key."""
        return self.bucket_at(int(key[:_BUCKET_HEX_DIGITS], 16) >> 2)

    def bucket_at(self, index: int) -> str:
        """Give a bucket by its number, 0 to `BUCKETS` - 1."""
        return f"{self._prefix}s:{index:x}"

    def buckets_in(self, bitmap: bytes) -> list[str]:
        """Give the buckets whose bits are set; the first bit is the highest of the first byte."""
        return [
            self.bucket_at(8 * at + bit)
            for at, byte in enumerate(bitmap)
            if byte
            for bit in range(8)
            if byte & (0x80 >> bit)
        ]


def bucket_field(key: str) -> bytes:
    """Give the field of a job key in its bucket: the key's bytes without the first."""
    return bytes.fromhex(key)[1:]
