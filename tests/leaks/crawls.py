"""What is run with the planted secrets: crawls on workers, on the embedded engine, single runs, and every command."""

from __future__ import annotations

import contextlib
import json
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis

from tests.e2e.harness import environ, marked
from tests.flower.conftest import Flower
from tests.flower.fleet import wait_for
from tests.leaks.pools import make_job
from tests.leaks.stage import dump
from tests.leaks.storage import read_folder
from tests.services import find_service
from tests.workers.kit import free_port

if TYPE_CHECKING:
    import subprocess

    from tests.leaks.stage import Stage

CRAWL, DYING, EMBEDDED = "m4rker-crawl", "m4rker-dying", "m4rker-embedded"

_RUNS = {
    "file": ("read", "rotate", "ban", "raise", "nothing"),
    "list": ("read",),
    "env": ("read",),
    "socks": ("read",),
    "tiny": ("read",),
    "wrong": ("fail", "tell"),
    "refused": ("fail", "tell"),
    "dead": ("fail", "tell", "ban"),
    "direct": ("raise", "end", "misname", "misemit", "nothing"),
}
_PAGES = {"tiny": ("page",), "file": ("page",), "refused": ("pagefail",), "wrong": ("pagefail",)}


def fan_out() -> list[dict[str, str]]:
    """What the root enqueues: each script with all that it does there; pages where there is a browser."""
    runs = [_RUNS, *([_PAGES] if find_service("browser") else [])]
    return [{"to": to, "do": do} for each in runs for to, dos in each.items() for do in dos]


class Performance:
    """Plays it all, and keeps what was seen beside the files that are left.

    Args:
        stage: Where.

    Attributes:
        seen: What was seen, by place.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.seen: dict[str, bytes] = {}
        self._started: list[tuple[str, subprocess.Popen[bytes]]] = []

    def play(self) -> None:
        """Everything, once."""
        self._seed_without_workers()
        ports = self._start_the_fleet()
        self._watch_to_the_end(ports)
        self._die_and_miss()
        self._run_alone()
        self._run_embedded()
        self._look_around()
        self.seen["Redis, keys and values"] += dump(self._stage.client())
        self._read_pages(ports)

    def _command(self, name: str, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        process = self._stage.spawn(name, sys.executable, "-m", "quarry.cli", *arguments, env=env)
        self._started.append((name, process))
        return process

    def _run(self, name: str, job: dict[str, Any], *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        """Start a ``quarry run`` of the script through the pool of the mapping, with debug logging."""
        told = json.dumps(make_job(self._stage.site.url, **job))
        flags = ["--verbose", "--format", "json", "--run-id", f"m4rker-{name}"]
        return self._command(f"run {name}", "run", "--job", told, *flags, *arguments, **env)

    def _end(self, codes: set[int], *processes: subprocess.Popen[bytes]) -> None:
        for process in processes:
            code = process.wait(100)
            assert code in codes, f"{process.args!r} ended with {code}: {self._said(process)}"

    def _said(self, process: subprocess.Popen[bytes]) -> str:
        return next(self._stage.log(name)[-3000:] for name, other in self._started if other is process)

    def _seed_without_workers(self) -> None:
        """The messages wait in their lists, for there is nobody."""
        flags = ["--script", "direct", "--depth", "2", "--max-runs", "100", "--max-failures", "50"]
        seeding = self._run("crawl", {"do": "nothing", "children": fan_out()}, *flags, "--detach")
        self._end({0}, seeding)
        client = self._stage.client()
        self.seen["Celery's messages"] = b"\n".join(client.lrange("quarry", 0, -1))
        self.seen["Redis, keys and values"] = dump(client)

    def _start_the_fleet(self) -> dict[str, Any]:
        stage = self._stage
        ports = {name: free_port() for name in ("worker a", "worker b", "metrics serve")}
        flower = Flower(stage)  # before the others, so that it has the machine to itself, and misses nothing
        for name in ("worker a", "worker b"):
            node = f"m4rker-{name[-1]}@test"
            flags = ["-n", node, "-c", "3", "-l", "DEBUG", "--without-gossip", "--without-mingle"]
            port = {"QUARRY_METRICS_PORT": str(ports[name])}
            stage.celery(name, "-A", "workers.http", "worker", *flags, env=port)
        self._command("metrics serve", "metrics", "serve", "--port", str(ports["metrics serve"]))
        return {"flower": flower, **ports}

    def _watch_to_the_end(self, ports: dict[str, Any]) -> None:
        watching = self._command("attach", "run", "--attach", CRAWL, "--verbose", "--format", "json")
        self._end({0, 1, 5}, watching)
        self.seen["Redis, keys and values"] += dump(self._stage.client())
        wait_for(lambda: len(ports["flower"].tasks()) >= len(fan_out()), "the tasks in Flower")

    def _die_and_miss(self) -> None:
        """An executor that dies with its run, and a secret that is nowhere."""
        report = ["--report", str(self._stage.seen / "crawl.report")]
        dying = self._run("dying", {"do": "die"}, "--script", "file", "--max-attempts", "2", *report)
        missing = self._run("missing", {"key": {"$secret": "ABSENT"}}, "--script", "file")
        self._end({2}, dying, missing)

    def _run_alone(self) -> None:
        """Single runs: no broker, no crawl, an executor each."""

        def alone(do: str, *flags: str) -> subprocess.Popen[bytes]:
            report = ["--report", str(self._stage.seen / f"{do}.report"), "--proxy-pool", "m4rker-file"]
            script = str(Path(__file__).parent / "scripts" / "visit.py")
            return self._run(f"alone-{do}", {"do": do}, "--script", script, *report, *flags, QUARRY_BROKER="")

        good = alone("rotate", "--proxy-strategy", "sticky")
        bad = alone("raise"), alone("die"), alone("tell", "--proxy-pool", "m4rker-dead")
        dry = self._command("dry run", "run", "--script", "file", "--dry-run", "--job", "{}")
        self._end({0}, good, dry)
        self._end({1, 2}, *bad)

    def _run_embedded(self) -> None:
        """A crawl on the embedded engine; its Redis and its state folder are looked at in the middle."""
        until = self._stage.planted / "go on"
        children = [{"to": "file", "do": "read"}, {"to": "dead", "do": "tell"}, {"to": "direct", "do": "end"}]
        job = {"do": "nothing", "children": children, "until": str(until)}
        flags = ["--script", "direct", "--depth", "1", "--parallel", "2"]
        crawling = self._run("embedded", job, *flags, QUARRY_BROKER="")
        url = wait_for(self._private_redis, "the private Redis")
        path = "/" + url.split("://", 1)[1].split("?")[0].lstrip("/")
        with contextlib.closing(redis.Redis(unix_socket_path=path, socket_timeout=5)) as client:
            wait_for(lambda: int(client.hget(f"q:{{{EMBEDDED}}}:n", "failed") or 0) == 2, "two failed runs")
            self.seen["private Redis, keys and values"] = dump(client)
        for kind, data in read_folder(self._stage.seen / "state").items():
            self.seen[f"state folder of a running crawl: {kind}"] = data
        until.touch()
        self._end({0, 1, 5}, crawling)

    def _private_redis(self) -> str | None:
        brokers = (environ(pid).get("QUARRY_BROKER", "") for pid in marked(self._stage.mark))
        return next((url for url in brokers if url.startswith(("unix", "redis+socket"))), None)

    def _look_around(self) -> None:
        """Every command that reads, as text and as JSON."""
        record = next(self._stage.storage.rglob(f"runs/**/*{CRAWL}*/**/*.json"), None)
        run = json.loads(record.read_text())["run_id"] if record else CRAWL
        commands: dict[str, list[str]] = {
            "list failed": ["list", "failed", CRAWL],
            "list runs": ["list", "runs"],
            "list crawls": ["list", "crawls"],
            "list pools": ["list", "pools"],
            "inspect crawl": ["inspect", "crawl", CRAWL],
            "inspect run": ["inspect", "run", run],
            "inspect dead run": ["inspect", "run", "m4rker-alone-die"],
            "inspect proxy": ["inspect", "proxy", "m4rker-file"],
            "inspect dead proxy": ["inspect", "proxy", "m4rker-dead"],
            "debug resolve proxy": ["debug", "resolve", "proxy", "m4rker-file", "--count", "3"],
            "debug resolve proxy, committed": ["debug", "resolve", "proxy", "m4rker-env", "--commit"],
            "debug resolve target": ["debug", "resolve", "target", "file"],
            "doctor": ["doctor"],
        }
        for number, (name, arguments) in enumerate(commands.items()):
            commands[name] = [*arguments, "--format", ("json", "table")[number % 2]]
        commands["retry"] = ["retry", DYING, "--verbose", "--run-id", "m4rker-retried"]
        for start in range(0, len(commands), 5):
            chunk = list(commands.items())[start : start + 5]
            self._end({0, 1, 2, 5}, *[self._command(name, *arguments) for name, arguments in chunk])
        self._end({0}, self._command("stop", "stop", CRAWL))

    def _read_pages(self, ports: dict[str, Any]) -> None:
        flower: Flower = ports["flower"]
        tasks = flower.tasks()
        worker = "m4rker-a@test"
        wait_for(lambda: "broker_url" in flower.text(f"/worker/{worker}"), "the worker's settings in Flower")
        paths = ["/", "/workers", "/broker", "/tasks", f"/worker/{worker}", "/api/workers", "/api/tasks"]
        paths += ["/api/queues/length", "/metrics", "/workers?json=1"]
        for path in paths:
            self.seen[f"Flower {path.split('@')[0]}"] = flower.text(path).encode()
        for form, path in (("page", "/task/"), ("API", "/api/task/info/")):
            self.seen[f"Flower's tasks, {form}"] = b"\n".join(
                flower.text(path + task).encode() for task in tasks
            )
        for place, names in (("workers", ("worker a", "worker b")), ("metrics serve", ("metrics serve",))):
            pages = []
            for name in names:
                with urllib.request.urlopen(f"http://127.0.0.1:{ports[name]}/metrics", timeout=30) as answer:
                    pages.append(answer.read())
            self.seen[f"Prometheus, {place}"] = b"\n".join(pages)


def collect(stage: Stage, performance: Performance) -> dict[str, bytes]:
    """Give all that was seen, and all that lies in files, by place; after everything has ended."""
    assert stage.watch is not None
    places = dict(performance.seen)
    for path in sorted(stage.seen.glob("*.log")):
        places[f"output of {path.stem}"] = path.read_bytes()
    # Together: which of the two executes what is left to them.
    places["output of the workers"] = places.pop("output of worker a") + places.pop("output of worker b")
    for path in sorted(stage.seen.glob("*.report")):
        places[f"report of {path.stem}"] = path.read_bytes()
    for kind, data in read_folder(stage.seen).items():
        places[f"folder: {kind}"] = data
    places["Redis, all commands"] = stage.watch.commands
    places["command lines"] = b"\n".join(stage.watch.argvs)
    return places
