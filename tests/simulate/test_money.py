"""Prices, and what a crawl costs."""

from __future__ import annotations

import pytest

from quarry.simulate import Prices, Workload, parse_prices
from quarry.simulate.model import compute_needs
from quarry.simulate.money import compute_money
from tests.simulate.sample_costs import COSTS


@pytest.mark.clause("SIMULATE-11")
def test_money_by_hand():
    """One hour on one core, 0.03 GB of Redis, 1.44 million writes, 3.996 GB for a month."""
    needs = compute_needs(COSTS, Workload(jobs=360_000, rate=100, pending=0))
    prices = Prices(put_per_1000=0.01, gb_month=0.1, core_hour=2.0, redis_gb_hour=3.0)
    money = compute_money(needs, prices)
    assert money.workers == pytest.approx(2.0)
    assert money.redis == pytest.approx(needs.redis_memory_bytes / 1e9 * (1 + 108 / 3600) * 3.0)
    assert money.requests == pytest.approx(14.4)
    assert money.storage_month == pytest.approx(360_000 * 11_100 / 1e9 * 0.1)
    assert money.total == pytest.approx(money.workers + money.redis + money.requests + money.storage_month)


@pytest.mark.clause("SIMULATE-04")
def test_prices_that_are_not_given_are_the_examples():
    """Texts, as a file has them, and numbers."""
    prices, problems = parse_prices({"core_hour": "0.5", "gb_month": 1, "currency": "EUR"}, place="p")
    assert problems == []
    assert prices == Prices(core_hour=0.5, gb_month=1.0, currency="EUR")
    assert parse_prices({}, place="p") == (Prices(), [])


@pytest.mark.clause("SIMULATE-04")
def test_every_wrong_price_is_named():
    """Below zero, no number, unknown."""
    prices, problems = parse_prices(
        {"core_hour": "-1", "gb_month": "x", "puts": "1", "put_per_1000": "nan"}, place="p"
    )
    assert prices == Prices()
    assert [problem.split(":")[1].strip() for problem in problems] == [
        "core_hour",
        "gb_month",
        "puts",
        "put_per_1000",
    ]
