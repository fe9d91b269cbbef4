"""Children that are admitted from a run's data, because the ledger has forgotten them."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

import quarry.lode
from quarry.crawl.delivery import deliver
from quarry.crawl.local_scripts import LocalScripts
from quarry.crawl.plan import PlanPool, decode_payload
from quarry.crawl.settlement import Settlement
from tests.crawl.single_job import one_job
from tests.e2e.site import serving


@pytest.mark.clause("PROXY-15")
@pytest.mark.parametrize(("told", "pool"), [("shop", "shop"), ("made-up", None), (None, None)])
async def test_children_of_a_forgotten_run_keep_its_pool(tmp_path, told, pool):
    """After a rollback of Redis nothing of a run with a pool goes out without a proxy."""
    with serving() as site:
        params = {"kind": "branch", "n": 0, "count": 3, "branches": 1, "url": site.url}
        async with one_job(tmp_path, params) as job:
            await deliver(job.context, key=job.key, cancel=asyncio.Event())
            (record,) = quarry.lode.open(job.storage).runs()
            proxy = None if told is None else {"pool": told, "host": "h"}
            settlement = Settlement(
                plan=msgspec.structs.replace(job.context.plan, proxies={"shop": PlanPool(digest="d")}),
                ledger=job.ledger,
                dataset=job.context.dataset,
                threads=job.context.threads,
                scripts=LocalScripts(),
            )
            children = await settlement._children(msgspec.structs.replace(record, proxy=proxy))
            assert children
            assert {decode_payload(child.payload).proxy for child in children} == {pool}
