"""Names of keys, and the buckets of seen keys."""

from __future__ import annotations

import pytest

from quarry.errors import ConfigError
from quarry.scheduler.names import BUCKETS, Names, bucket_field
from tests.scheduler.crawling import job, key_of


def test_all_keys_of_a_crawl_share_a_hash_tag():
    """They live together wherever Redis keeps them; the broker's list is its own."""
    names = Names("c1", "quarry")
    assert all(key.startswith("q:{c1}:") for key in names.fixed[:-1])
    assert names.fixed[-1] == "quarry"
    assert names.bucket(key_of("a")).startswith("q:{c1}:s:")


@pytest.mark.parametrize("crawl", ["", "a}b", 'a"b', "a\\b", "é", "a b", ".."])
def test_a_crawl_id_that_would_break_keys_or_json_is_refused(crawl):
    """Ids stand in keys and messages as they are."""
    with pytest.raises(ConfigError):
        Names(crawl, "quarry")


def test_bucket_and_field_tell_every_key_apart():
    """The first byte is left out of the field; its bits are in the bucket."""
    names = Names("c", "q")
    keys = [f"{first:02x}{second:02x}" + "0" * 28 for first in range(256) for second in range(0, 256, 7)]
    assert len({(names.bucket(key), bucket_field(key)) for key in keys}) == len(keys)
    assert len({names.bucket(f"{i:04x}" + "0" * 28) for i in range(65536)}) == BUCKETS


async def test_the_bitmap_names_exactly_the_buckets_that_exist(crawl):
    """So they can expire after the close without a scan."""
    await crawl.begin("a", max_runs=400)
    await crawl.claim("a")
    await crawl.ledger.admit(key_of("a"), "T1", 0, [job(f"n{i}") for i in range(500)])
    bitmap = await crawl.client.get("q:{c1}:used")
    existing = {key.decode() for key in await crawl.client.keys("q:{c1}:s:*")}
    assert set(crawl.ledger._names.buckets_in(bitmap)) == existing
    assert len(existing) > 300
