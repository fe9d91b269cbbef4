"""What a machine keeps of a crawl's seeds: no other command writes over it, and no other crawl is seeded from it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

import quarry.lode
from quarry.config.load import Inputs, load_settings
from quarry.crawl.roots import kept_seeder
from quarry.crawl.seeding import seed_crawl
from quarry.engine.broker import Broker
from quarry.engine.fleet import FleetCrawl
from quarry.engine.preparing import Prepared, prepare
from quarry.wiring import make_bounds
from tests.e2e.harness import assert_balanced, marked, wait_for
from tests.fleet.fleet import SCRIPT, Fleet, running_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quarry.config import Settings


class Quiet:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def info(self, message: str) -> None:
        self.said.append(message)

    def warning(self, message: str) -> None:
        self.said.append(message)

    def progress(self, counts: object) -> None:
        """Shown nowhere."""


def write_seeds(path: Path, prefix: str, count: int, **more: str) -> Path:
    path.write_text("".join(json.dumps({"name": f"{prefix}{n}", **more}) + "\n" for n in range(count)))
    return path


def kept(fleet: Fleet) -> dict[str, bytes]:
    """All that is kept of crawls, but for what their servers keep."""
    root = fleet.folder / "state" / "quarry" / "crawls"
    files = [path for path in root.rglob("*") if path.is_file() and path.parent.name != "redis"]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def folders(fleet: Fleet) -> list[str]:
    root = fleet.folder / "state" / "quarry" / "crawls"
    return sorted(path.name for path in root.iterdir()) if root.exists() else []


@contextlib.contextmanager
def reading_stdin(fleet: Fleet, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command whose standard input is open."""
    argv = [sys.executable, "-m", "quarry.cli", "run", "--script", SCRIPT, "--seeds", "-", *arguments]
    process = subprocess.Popen(
        argv, env=fleet.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@contextlib.contextmanager
def without_workers(folder: Path) -> Iterator[Fleet]:
    fleet = Fleet(folder)
    try:
        fleet.start_redis()
        yield fleet
    finally:
        fleet.end()


@pytest.mark.clause("RUN-44", "RUN-45")
def test_seeds_of_a_broker_s_crawl_outlive_a_refused_command_with_its_id(tmp_path):
    """Other seeds, another storage: refused before anything is written, and the seeding goes on with its own."""
    gate = tmp_path / "gate"
    seeds = write_seeds(tmp_path / "seeds.ndjson", "s", 1200, gate=str(gate))
    others = write_seeds(tmp_path / "others.ndjson", "x", 700)
    with running_fleet(tmp_path, workers=1, slots=8) as fleet:
        fleet.env["QUARRY_HIGH_WATER"] = "400"
        begin = ("run", "--script", SCRIPT, "--run-id", "k1", "--parallel", "8")
        seeder = fleet.begin(*begin, "--seeds", str(seeds))
        wait_for(lambda: fleet.counters("k1").get("pending", 0) >= 400, what="the mark")
        seeder.kill()
        before = kept(fleet)
        assert list(before) == ["k1/seeding.json"]
        away = {"QUARRY_STORAGE_PATH": str(tmp_path / "elsewhere")}
        refused = fleet.quarry(*begin, "--seeds", str(others), env=away)
        assert (refused.code, refused.stdout) == (64, "")
        assert "--attach k1" in refused.stderr
        # From another machine too: the ledger knows the id.
        there = {**away, "XDG_STATE_HOME": str(tmp_path / "state-there")}
        refused = fleet.quarry(*begin, "--seeds", str(others), env=there)
        assert (refused.code, "--attach k1" in refused.stderr) == (64, True)
        assert not (tmp_path / "state-there" / "quarry" / "crawls").exists()
        assert not (tmp_path / "elsewhere").exists()
        assert kept(fleet) == before
        gate.touch()
        done = fleet.quarry("run", "--attach", "k1", timeout_s=160)
        assert done.code == 0, done.stderr
        assert_balanced(done.result["fanout"])
        assert (done.result["fanout"]["seeds"], done.result["fanout"]["succeeded"]) == (1200, 1200)
        assert folders(fleet) == []


@pytest.mark.clause("RUN-44")
def test_a_crawl_is_not_seeded_from_what_is_kept_of_another_one(tmp_path):
    """The same id on another broker, say: it is a seeding that was cut, and what is kept stays."""
    seeds = write_seeds(tmp_path / "seeds.ndjson", "s", 1200)
    with without_workers(tmp_path) as fleet:
        fleet.env["QUARRY_HIGH_WATER"] = "400"
        seeder = fleet.begin("run", "--script", SCRIPT, "--run-id", "k2", "--seeds", str(seeds))
        wait_for(lambda: fleet.counters("k2").get("pending", 0) >= 400, what="the mark")
        seeder.kill()
        path = fleet.folder / "state" / "quarry" / "crawls" / "k2" / "seeding.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "seeder": "another"}))
        before = kept(fleet)
        received = fleet.counters("k2")["received"]
        watcher = fleet.begin("run", "--attach", "k2")
        wait_for(lambda: "its seeding was cut" in watcher.err.read_text(), what="the warning")
        fleet.start_worker("w0")
        wait_for(lambda: fleet.counters("k2")["pending"] == 0, what="all that was seeded")
        assert fleet.quarry("stop", "k2").code == 0
        done = watcher.wait()
        assert done.code == 4, done.stderr
        assert done.result["fanout"]["received"] == received
        assert kept(fleet) == before


@pytest.mark.clause("RUN-44", "RUN-45")
def test_seeds_read_from_standard_input_outlive_the_same_command_once_more(tmp_path):
    """It is refused before it reads; what was kept is what --resume goes on with."""
    gate = tmp_path / "gate"
    text = write_seeds(tmp_path / "seeds.ndjson", "s", 40, gate=str(gate)).read_bytes()
    fleet = Fleet(tmp_path)
    del fleet.env["QUARRY_BROKER"]
    try:
        with reading_stdin(fleet, "--run-id", "k3", "--parallel", "2") as first:
            assert first.stdin is not None
            first.stdin.write(text)
            first.stdin.close()
            first.stdin = None
            wait_for(lambda: list(fleet.storage.glob("datasets/quarry/live/*/*/*")), what="runs in flight")
            first.kill()
            first.wait()
        wait_for(lambda: not marked(fleet.mark), what="the end of what it started")
        before = kept(fleet)
        assert text in before.values()
        with reading_stdin(fleet, "--run-id", "k3", "--parallel", "2") as again:
            out, err = again.communicate(b'{"name": "another"}\n', timeout=60)
        assert (again.returncode, out) == (64, b"")
        assert b"--resume k3" in err
        assert kept(fleet) == before
        gate.touch()
        done = fleet.quarry("run", "--resume", "k3")
        assert done.code == 0, done.stderr
        assert (done.result["fanout"]["seeds"], done.result["fanout"]["succeeded"]) == (40, 40)
        assert quarry.lode.open(fleet.storage).scan(event_type="item", crawl="k3").num_rows == 40
    finally:
        fleet.end()


@pytest.mark.clause("RUN-42", "RUN-45")
@pytest.mark.parametrize("broker", [True, False], ids=["fleet", "embedded"])
def test_a_retry_that_is_refused_keeps_nothing(tmp_path, broker):
    """Neither in the folder of the crawl with that id, nor where its broker is down."""
    fleet = Fleet(tmp_path)
    url = fleet.env.pop("QUARRY_BROKER")
    try:
        if broker:
            fleet.start_redis()
        job = json.dumps({"fails": True})
        assert fleet.quarry("run", "--script", SCRIPT, "--job", job, "--run-id", "failed").code == 1
        folder = tmp_path / "state" / "quarry" / "crawls" / "k4"
        folder.mkdir(parents=True)
        folder.joinpath("seeding.json").write_text('{"seeder": "another"}')
        before = kept(fleet)
        env = {"QUARRY_BROKER": url} if broker else {}
        refused = fleet.quarry("retry", "failed", "--run-id", "k4", env=env)
        assert (refused.code, refused.stdout) == (64, ""), refused.stderr
        assert fleet.quarry("retry", "failed", "--run-id", "failed", env=env).code == 64
        if broker:
            fleet.kill_redis()
            assert fleet.quarry("retry", "failed", "--run-id", "k5", env=env).code == 64
        assert kept(fleet) == before
        assert folders(fleet) == ["k4"]
    finally:
        fleet.end()


@pytest.mark.clause("RUN-50")
def test_a_detached_crawl_leaves_nothing_to_seed_and_keeps_nothing(tmp_path):
    """All its seeds are in its ledger."""
    seeds = write_seeds(tmp_path / "seeds.ndjson", "s", 3)
    with without_workers(tmp_path) as fleet:
        arguments = ("--script", SCRIPT, "--run-id", "k6", "--seeds", str(seeds), "--detach")
        assert fleet.quarry("run", *arguments).code == 0
        assert folders(fleet) == []
        fleet.start_worker("w0")
        assert fleet.quarry("run", "--attach", "k6").result["fanout"]["succeeded"] == 3


@pytest.mark.clause("RUN-49")
@pytest.mark.parametrize("broker", [True, False], ids=["fleet", "embedded"])
def test_an_interrupt_while_seeds_are_read_from_standard_input_ends_the_command_at_once(tmp_path, broker):
    """Exit 130; nothing is kept, and nothing is in the ledger."""
    with without_workers(tmp_path) as fleet:
        if not broker:
            del fleet.env["QUARRY_BROKER"]
        with reading_stdin(fleet, "--run-id", "k7") as command:
            assert command.stdin is not None
            command.stdin.write(b'{"name": "s0"}\n')
            command.stdin.flush()
            wait_for(lambda: folders(fleet) == ["k7"], what="what is read")
            os.kill(command.pid, signal.SIGINT)
            assert command.wait(15) == 130
        assert folders(fleet) == []
        assert fleet.counters("k7") == {}


def prepared(fleet: Fleet, crawl: str) -> tuple[Settings, Prepared]:
    """A crawl of one job that could be begun."""
    flags = {"script": SCRIPT, "run_id": crawl, "max_runs": "1"}
    loaded = load_settings(
        Inputs(flags=flags, config=None, environment=fleet.env, cwd=str(fleet.folder), crawl=True)
    )
    made = prepare(loaded.settings, crawl, None)
    made.roots.save(made.folder)
    return loaded.settings, made


async def interrupted(
    settings: Settings, made: Prepared, *, seeded_by: str | None
) -> tuple[str, dict | None]:
    """Begin it and interrupt it at once, where somebody's first seeds are in the ledger, or nobody's."""
    reporter = Quiet()
    async with Broker(str(settings.broker)) as broker:
        if seeded_by is not None:
            await seed_crawl(
                ledger=broker.ledger(made.plan.crawl),
                registry=broker.registry,
                crawl=made.plan.crawl,
                seeder=seeded_by,
                bounds=make_bounds(settings, made.plan),
                batches=made.roots.batches(made.plan),
            )
        seeder = made.roots.seeder
        fleet = FleetCrawl(settings, made.plan, broker, None, reporter, seeder=seeder)
        fleet._interrupts.once.set()
        result = await fleet.run(made.roots, start=None)
    assert result.exit_code == 4
    return result.message, result.fanout and msgspec.to_builtins(result.fanout)


@pytest.mark.clause("RUN-39", "RUN-49")
@pytest.mark.parametrize("ledger", ["nothing", "its seeds", "another's"])
def test_an_early_interrupt_says_what_the_ledger_says(tmp_path, ledger):
    """A crawl that is there runs, and is left; of one that is not nothing is kept."""
    with without_workers(tmp_path) as fleet:
        settings, made = prepared(fleet, "k8")
        seeder = {"nothing": None, "its seeds": made.roots.seeder, "another's": "another"}[ledger]
        message, fanout = asyncio.run(interrupted(settings, made, seeded_by=seeder))
        if ledger == "its seeds":
            assert "left by an interrupt" in message
            assert fanout is not None
            assert kept_seeder(made.folder) == made.roots.seeder
        else:
            assert message == "interrupted before the crawl was begun"
            assert folders(fleet) == []
