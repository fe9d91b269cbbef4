"""The settings of crawls over many machines, and of the ledger; a part of the table of options."""

from __future__ import annotations

from quarry.config.option import Option

MAX_DURATION_MS = 365 * 24 * 3600 * 1000
MIN_LEASE_MS, MAX_LEASE_MS = 1000, 3_600_000
MAX_WAIT_MS = 24 * 3_600_000
MAX_EXPIRE_MS = 90 * 24 * 3_600_000
MAX_HIGH_WATER = 100_000_000

_FLEET, _LEDGER, _PRICES = "Fleet", "Ledger", "Prices"

FLEET_OPTIONS: tuple[Option, ...] = (
    Option(
        "broker",
        "--broker",
        "URL",
        "Redis that carries the crawl to workers anywhere: redis://HOST:PORT/DB, rediss:// or unix:///PATH;"
        " without it everything runs on this machine",
        env="QUARRY_BROKER",
        section=_FLEET,
        secret=True,
    ),
    Option(
        "detach",
        "--detach",
        "",
        "Seed the crawl, print its id and leave; it goes on without this command",
        in_file=False,
        section=_FLEET,
    ),
    Option(
        "attach",
        "--attach",
        "CRAWL",
        "Watch a crawl of the broker that was begun before, and go on with its seeding if that was cut",
        in_file=False,
        section=_FLEET,
    ),
    Option(
        "resume",
        "--resume",
        "CRAWL",
        "Go on with a crawl of this machine whose command ended before it did",
        in_file=False,
        section=_FLEET,
    ),
    Option(
        "max_duration",
        "--max-duration",
        "DURATION",
        "Stop the crawl after this time: what runs is finished, the rest is not executed; at most 365 days",
        default="no bound",
        env="QUARRY_MAX_DURATION",
        section="Fan-out",
    ),
    Option(
        "ledger.lease",
        "",
        "DURATION",
        "How long a worker may be silent before its runs are delivered again, 1s to 1h; it beats six"
        " times in it",
        default="60s",
        env="QUARRY_LEASE",
        section=_LEDGER,
    ),
    Option(
        "ledger.claim",
        "",
        "DURATION",
        "How long a message may wait in the broker's list before it is published again, at most 24h",
        default="15m",
        env="QUARRY_CLAIM",
        section=_LEDGER,
    ),
    Option(
        "ledger.grace",
        "",
        "DURATION",
        "The same for a message that the list no longer holds, at most 24h",
        default="10s",
        env="QUARRY_GRACE",
        section=_LEDGER,
    ),
    Option(
        "ledger.expire_after",
        "",
        "DURATION",
        "How long Redis keeps a crawl after its end, 1s to 90 days (2160h)",
        default="168h",
        env="QUARRY_EXPIRE_AFTER",
        section=_LEDGER,
    ),
    Option(
        "ledger.high_water",
        "",
        "N",
        f"Pending jobs at which the seeder waits (a run never does), 1 to {MAX_HIGH_WATER}",
        default="100000",
        env="QUARRY_HIGH_WATER",
        section=_LEDGER,
    ),
    Option(
        "simulate.prices.put_per_1000",
        "",
        "NUMBER",
        "Price of a thousand writes to the storage, for quarry simulate; 0 or more",
        default="0.005, an example",
        section=_PRICES,
    ),
    Option(
        "simulate.prices.gb_month",
        "",
        "NUMBER",
        "Price of a GB stored for a month, for quarry simulate; 0 or more",
        default="0.025, an example",
        section=_PRICES,
    ),
    Option(
        "simulate.prices.core_hour",
        "",
        "NUMBER",
        "Price of a core for an hour, for quarry simulate; 0 or more",
        default="0.04, an example",
        section=_PRICES,
    ),
    Option(
        "simulate.prices.redis_gb_hour",
        "",
        "NUMBER",
        "Price of a GB of Redis' memory for an hour, for quarry simulate; 0 or more",
        default="0.02, an example",
        section=_PRICES,
    ),
    Option(
        "simulate.prices.currency",
        "",
        "TEXT",
        "What the prices are in, for quarry simulate",
        default="USD",
        section=_PRICES,
    ),
)
