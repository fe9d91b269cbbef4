"""What machines and storage cost in money. The defaults are examples: nobody's price list."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

PRICE_NAMES = ("put_per_1000", "gb_month", "core_hour", "redis_gb_hour")


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """A price table; all in one currency.

    Attributes:
        put_per_1000: A thousand write requests to the storage.
        gb_month: One GB (10⁹ bytes) stored for a month.
        core_hour: One core of a worker machine for an hour, its memory included.
        redis_gb_hour: One GB (10⁹ bytes) of Redis for an hour.
        currency: Name of the currency, for the output.
    """

    put_per_1000: float = 0.005
    gb_month: float = 0.025
    core_hour: float = 0.04
    redis_gb_hour: float = 0.02
    currency: str = "USD"


def parse_prices(raw: Mapping[str, object], *, place: str) -> tuple[Prices, list[str]]:
    """Read a price table.

    Args:
        raw: Texts or numbers by name; what is missing keeps its default.
        place: Where it is from, for messages.

    Returns:
        The table (the defaults where something is wrong), and the problems.
    """
    given: dict[str, float | str] = {}
    problems = []
    for name, value in raw.items():
        if name == "currency":
            given[name] = str(value)
        elif name in PRICE_NAMES:
            price = _price(value)
            if price is None:
                problems.append(f"{place}: {name}: must be a number of 0 or more, not {value!r}")
            else:
                given[name] = price
        else:
            known = ", ".join((*PRICE_NAMES, "currency"))
            problems.append(f"{place}: {name}: there is no such price; there are {known}")
    return (Prices() if problems else msgspec.convert(given, Prices)), problems


def _price(value: object) -> float | None:
    try:
        price = float(str(value))
    except ValueError:
        return None
    return price if math.isfinite(price) and price >= 0 else None
