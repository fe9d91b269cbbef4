"""Who a run is, and the ids that are made for it."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from datetime import UTC, datetime

import msgspec

_MAX_SEGMENT_BYTES = 200


class RunIdentity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run and its lineage.

    Attributes:
        run_id: Safe as one path segment.
        attempt: From 1.
        job_id: The user's id of the job, where given.
        parent_run_id: For a child the run that emitted it; above the first attempt the attempt before.
        root_run_id: Root of the lineage (of the root itself: its own ``run_id``).
        depth: Derivation depth; a root has 0.
    """

    run_id: str
    attempt: int = 1
    job_id: str | None = None
    parent_run_id: str | None = None
    root_run_id: str | None = None
    depth: int = 0


def new_run_id() -> str:
    """Make a UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then randomness."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return _as_uuid(value, version=7)


def derived_run_id(crawl: str, key: str, attempt: int) -> str:
    """Make the UUIDv8 (RFC 9562 §5.8) of a run that nobody named.

    Args:
        crawl: Id of the crawl.
        key: Job key, 32 hex digits.
        attempt: Attempt, from 1.

    Returns:
        The same id whoever computes it, before or after a crash.
    """
    digest = hashlib.sha256(f"{crawl}\0{key}\0{attempt}".encode()).digest()
    return _as_uuid(int.from_bytes(digest[:16], "big"), version=8)


def new_token() -> str:
    """Mint the random TOKEN of a delivery: 24 hex digits (96 bits)."""
    return os.urandom(12).hex()


def format_timestamp(seconds: float) -> str:
    """Format Unix seconds as ISO 8601 UTC with milliseconds and ``Z``."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def is_safe_segment(text: str) -> bool:
    """Say whether the text may stand as one path segment (run ids, crawl ids).

    Letters, digits, ``.``, ``_``, ``-``, ``:``, ``@``, ``+``, ``=`` and ``~`` only; not ``.`` or ``..``, not
    longer than 200 bytes, not starting with ``-`` (it would read as a flag).
    """
    if not text or text in {".", ".."} or len(text.encode()) > _MAX_SEGMENT_BYTES:
        return False
    if text.startswith("-"):
        return False
    return all(c.isascii() and (c.isalnum() or c in "._-:@+=~") for c in text)


def _as_uuid(value: int, *, version: int) -> str:
    value &= ~(0xF << 76) & ~(0x3 << 62) & ((1 << 128) - 1)
    return str(uuid.UUID(int=value | version << 76 | 0x2 << 62))
