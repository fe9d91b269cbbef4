"""Round costs, by which a person can compute the answer."""

from __future__ import annotations

from quarry.simulate.costs import Cost, Costs, Memory

COSTS = Costs(
    measured={"date": "2026-01-31"},
    run=Cost(
        worker_cpu_us=1000,
        executor_cpu_us=500,
        redis_cpu_us=200,
        redis_round_trips=4,
        redis_commands=50,
        redis_net_bytes=4000,
        storage_files=3,
        storage_bytes=8000,
    ),
    event_type=Cost(worker_cpu_us=100, storage_files=1, storage_bytes=3000),
    event=Cost(worker_cpu_us=10, executor_cpu_us=5, storage_bytes=100),
    enqueue=Cost(worker_cpu_us=40, redis_cpu_us=5, redis_commands=2, redis_net_bytes=500, storage_bytes=200),
    fetch=Cost(executor_cpu_us=300),
    page_kb=Cost(executor_cpu_us=20),
    memory=Memory(
        redis_base_bytes=2_000_000,
        seen_key_bytes=((10_000, 100.0), (1_000_000, 20.0)),
        compact_keys=8_000_000,
        wide_key_bytes=90.0,
        pending_job_bytes=600.0,
        payload_bytes=200.0,
        worker_bytes=100_000_000,
        executor_bytes=50_000_000,
    ),
    seed_cpu_us=50.0,
    close_us=300.0,
)
