"""What runs cost, as it was measured; the figures are data (``costs.json``), not code."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import msgspec

from quarry.errors import ConfigError


class Cost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one thing costs.

    Attributes:
        worker_cpu_us: CPU of the worker process, microseconds.
        executor_cpu_us: CPU of executors and their guards, microseconds.
        redis_cpu_us: CPU of the Redis process, microseconds.
        redis_round_trips: Commands that clients send.
        redis_commands: Those that Redis executes, the calls of Lua among them.
        redis_net_bytes: Bytes into and out of Redis.
        storage_files: Files that stay.
        storage_bytes: Bytes that stay.
    """

    worker_cpu_us: float = 0.0
    executor_cpu_us: float = 0.0
    redis_cpu_us: float = 0.0
    redis_round_trips: float = 0.0
    redis_commands: float = 0.0
    redis_net_bytes: float = 0.0
    storage_files: float = 0.0
    storage_bytes: float = 0.0

    def plus(self, other: Cost, times: float = 1.0) -> Cost:
        """Add another cost, so many times."""
        return Cost(
            **{name: getattr(self, name) + times * getattr(other, name) for name in self.__struct_fields__}
        )


class Memory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept in memory.

    Attributes:
        redis_base_bytes: An empty Redis.
        seen_key_bytes: Bytes a seen key at so many keys: pairs (keys, bytes), keys rising.
        compact_keys: Keys of one crawl up to which the buckets of seen keys stay compact.
        wide_key_bytes: Bytes a seen key beyond that.
        pending_job_bytes: A pending job above its key, without its payload.
        payload_bytes: Its payload, of short params.
        worker_bytes: A worker process.
        executor_bytes: The executors of one worker.
    """

    redis_base_bytes: float
    seen_key_bytes: tuple[tuple[float, float], ...]
    compact_keys: float
    wide_key_bytes: float
    pending_job_bytes: float
    payload_bytes: float
    worker_bytes: float
    executor_bytes: float


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All costs.

    Attributes:
        measured: When, on what kind of machine and with what they were measured.
        run: A run that emits nothing but its end.
        event_type: Each type of event that a run emits at least once: a file of its own.
        event: One event that becomes a row.
        enqueue: One enqueue event of a known job (a new one is a run).
        fetch: One page fetched and parsed, whatever its size.
        page_kb: 1,000 bytes of a page.
        memory: What is kept in memory.
        seed_cpu_us: CPU of the seeding command for one seed.
        close_us: Time that the close takes for one record.
    """

    measured: dict[str, Any]
    run: Cost
    event_type: Cost
    event: Cost
    enqueue: Cost
    fetch: Cost
    page_kb: Cost
    memory: Memory
    seed_cpu_us: float
    close_us: float


def default_costs() -> Costs:
    """Give the costs that come with Quarry."""
    return decode_costs(files("quarry.simulate").joinpath("costs.json").read_bytes(), place="costs.json")


def read_costs(path: str) -> Costs:
    """Read costs from a file, in place of those that come with Quarry.

    Args:
        path: JSON with the fields of ``costs.json``, or with them under ``costs``; what it leaves out
            stays as it is.

    Raises:
        ConfigError: The file can't be read or holds something else.
    """
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError as error:
        raise ConfigError(f"--costs {path}: can't be read: {error.strerror}") from error
    return decode_costs(text, place=f"--costs {path}", base=default_costs())


def decode_costs(text: bytes, *, place: str, base: Costs | None = None) -> Costs:
    """Decode costs.

    Args:
        text: JSON.
        place: Where it is from, for messages.
        base: What stands where the text says nothing; without it the text says all.

    Raises:
        ConfigError: Naming what is wrong.
    """
    try:
        given = msgspec.json.decode(text)
        if isinstance(given, dict) and isinstance(given.get("costs"), dict):
            given = given["costs"]
        if base is not None and isinstance(given, dict):
            given = _merged(msgspec.to_builtins(base), given)
        costs = msgspec.convert(given, Costs)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{place}: these are no costs: {error}") from error
    if wrong := _impossible(costs):
        raise ConfigError([f"{place}: {problem}" for problem in wrong])
    return costs


def _merged(base: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in given.items():
        former = merged.get(name)
        whole = name == "measured" or not (isinstance(former, dict) and isinstance(value, dict))
        merged[name] = value if whole else _merged(former or {}, value)
    return merged


def _impossible(costs: Costs) -> list[str]:
    """Name what no measurement gives: figures below zero, a run without cost, keys that don't rise."""
    wrong = []
    for name in ("run", "event_type", "event", "enqueue", "fetch", "page_kb", "memory"):
        part = getattr(costs, name)
        wrong += [
            f"{name}.{field} is below 0"
            for field in part.__struct_fields__
            if isinstance(getattr(part, field), float) and getattr(part, field) < 0
        ]
    wrong += [f"{name} is below 0" for name in ("seed_cpu_us", "close_us") if getattr(costs, name) < 0]
    if not costs.run.worker_cpu_us > 0 or not costs.run.redis_cpu_us > 0:
        wrong.append("run.worker_cpu_us and run.redis_cpu_us must be above 0")
    keys = [keys for keys, _ in costs.memory.seen_key_bytes]
    if not keys or keys != sorted(set(keys)) or keys[0] < 1:
        wrong.append(
            "memory.seen_key_bytes must hold pairs of keys and bytes, the keys rising from 1 or more"
        )
    if any(size <= 0 for _, size in costs.memory.seen_key_bytes):
        wrong.append("memory.seen_key_bytes: bytes must be above 0")
    return wrong
