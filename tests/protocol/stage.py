"""One crawl on a real server and a real disk, set up the same way again and again."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quarry.redisio.durability import LOCK_KEY
from tests.protocol.processes import KILLED, Ended, Zygote

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.protocol.scenarios import Scenario
    from tests.scheduler.servers import PrivateServer

CRAWL = "points"
DAY = "2026-01-02"
HERE = Path(__file__).parent

Held = dict[bytes, tuple[bytes, int]]
"""What a Redis holds: each key's value as DUMP gives it, and its time to live (ms; 0: for ever)."""


class Stage:
    """Where a scenario is played.

    Args:
        server: A running server; emptied by each `reset`.
        zygote: Forks the processes.
        folder: For the dataset.
        scenario: What is played.
        light: Whether scripts are executed by the light executor, not by Quarry's own.

    Attributes:
        answer: Does what a process asks for at a point: to save what Redis holds, or to let it fall back to that.
    """

    def __init__(
        self, server: PrivateServer, zygote: Zygote, folder: Path, scenario: Scenario, *, light: bool = True
    ) -> None:
        self.storage = folder / "data"
        self.scenario = scenario
        self._server = server
        self._zygote = zygote
        self._saved: Held = {}
        self.answer: Callable[[str], None] = self._answer
        self._told: dict[str, Any] = {
            "url": server.url,
            "socket": server.socket,
            "roots": scenario.roots,
            "bounds": {
                "depth": None,
                "max_runs": None,
                "parallel": 1,
                "max_attempts": 1,
                "max_redeliveries": 3,
                **scenario.bounds,
            },
            "plan": {
                "crawl": CRAWL,
                "day": DAY,
                "started_at": 1_767_312_000.0,
                "storage_path": str(self.storage),
                "dataset": "quarry",
                "policy": scenario.policy,
                "timeout_ms": 60_000,
                "scripts_root": f"{HERE}/scripts",
                "cwd": str(folder),
                "executor": _make_executor(folder) if light else None,
                "seeded": True,
                "bounds": {},
            },
        }
        self.client = server.client()
        self._base = folder / "base"
        self._prepare()

    def _prepare(self) -> None:
        """Play what lies before the scenario's own process, once; `reset` comes back to it."""
        self.client.flushall()
        shutil.rmtree(self.storage, ignore_errors=True)
        for body, orders in self.scenario.before:
            self.run(body, **orders)
            self.pass_time()
        self.storage.mkdir(exist_ok=True)
        shutil.copytree(self.storage, self._base)
        self._start = self.snapshot()

    def reset(self) -> None:
        """Go back to the moment before the scenario's process starts."""
        self.restore(self._start)
        self.put_disk(self._base)

    def copy_disk(self) -> Path:
        """Copy the storage; the copy of an earlier call is replaced."""
        copy = self._base.with_name("copy")
        shutil.rmtree(copy, ignore_errors=True)
        return Path(shutil.copytree(self.storage, copy))

    def put_disk(self, copy: Path) -> None:
        """Let the storage hold that again, and nothing else."""
        shutil.rmtree(self.storage)
        shutil.copytree(copy, self.storage)

    def snapshot(self) -> Held:
        """Copy what Redis holds."""
        keys = sorted(self.client.scan_iter(count=1000))
        with self.client.pipeline(transaction=True) as pipe:
            for key in keys:
                pipe.dump(key)
                pipe.pttl(key)
            said = pipe.execute()
        return {key: (said[2 * n], max(said[2 * n + 1], 0)) for n, key in enumerate(keys)}

    def restore(self, held: Held) -> None:
        """Let Redis hold that again, and nothing else."""
        with self.client.pipeline(transaction=True) as pipe:
            pipe.flushall()
            for key, (value, ttl_ms) in held.items():
                pipe.restore(key, ttl_ms, value)
            pipe.execute()

    def pass_time(self) -> None:
        """Let every lease and lock lapse, as if their times were over: no clock is waited for."""
        prefix = f"q:{{{CRAWL}}}:"
        for zset in ("leases", "unclaimed", "owed"):
            for member in self.client.zrange(prefix + zset, 0, -1):
                self.client.zadd(prefix + zset, {member: 0})
        if self.client.hexists(prefix + "meta", "close_until_ms"):
            self.client.hset(prefix + "meta", "close_until_ms", 0)
        self.client.delete(LOCK_KEY)
        self.client.config_set("appendfsync", "everysec")

    def run(self, body: str, **orders: Any) -> Ended:
        """Run a process; orders as in `points.Orders`."""
        answer = self.answer if "ask" in orders else None
        return self._zygote.run({**self._told, "body": body, **orders}, answer=answer)

    def _answer(self, word: str) -> None:
        """Do what a process asks for at a point."""
        if word == "save":
            self._saved = self.snapshot()
        else:
            self.restore(self._saved)

    def play(self, **orders: Any) -> Ended:
        """Run the scenario's process from its start; where it is killed, time passes."""
        self.reset()
        ended = self.run(self.scenario.body, **orders)
        if ended.code == KILLED:
            self.pass_time()
        return ended

    def finish(self) -> None:
        """Let another process see the crawl to its end."""
        self.pass_time()
        self.run(self.scenario.after)

    def close(self) -> None:
        self.client.close()


def _make_executor(folder: Path) -> str:
    """Make the light executor a program, by the very interpreter: one that is looked up may be a slow shim."""
    program = folder / "executor"
    source = (HERE / "light_executor.py").read_text()
    program.write_text(f"#!{sys.executable} -IS\n{source}")
    program.chmod(0o755)
    return str(program)
