"""What a Compose engine does with compose.yaml, as plain processes of this machine: no images, no namespaces.

Variables are put in, services started in the order of their dependencies with their command, environment and
working folder, health checks run as they stand; mounted paths are folders below one of the test's.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from tests.workers.kit import ROOT, clean_env, end

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE = ROOT / "compose.yaml"
_INNERMOST = re.compile(r"\$\{(\w+)(?::-([^${}]*))?\}")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def load() -> dict[str, Any]:
    """The file as it stands, merged but without variables put in."""
    return YAML(typ="safe").load(FILE)


def variables() -> dict[str, set[str]]:
    """Variables of the file, and their defaults."""
    found: dict[str, set[str]] = {}

    def note(text: str) -> None:
        while match := _INNERMOST.search(text):
            found.setdefault(match[1], set()).add(match[2])
            text = text[: match.start()] + text[match.end() :]

    _walk(load(), note)
    return found


def interpolate(value: Any, environ: Mapping[str, str]) -> Any:
    """Put variables in; ``${A:-b}`` takes b where A is unset or empty, ``$$`` is a dollar sign."""

    def put(text: str) -> str:
        text = text.replace("$$", "\0")
        while match := _INNERMOST.search(text):
            text = text[: match.start()] + (environ.get(match[1]) or match[2] or "") + text[match.end() :]
        return text.replace("\0", "$")

    return _walk(value, put)


def _walk(value: Any, at_text: Any) -> Any:
    if isinstance(value, dict):
        return {key: _walk(inner, at_text) for key, inner in value.items()}
    if isinstance(value, list):
        return [_walk(inner, at_text) for inner in value]
    return at_text(value) if isinstance(value, str) else value


def seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", text).groups()
    return int(number) * _UNITS[unit]


class Fleet:
    """The services of the file as processes.

    Args:
        folder: Holds volumes, configs and logs.
        environ: Variables of the file.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.environ = dict(environ)
        self.file = interpolate(load(), environ)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def names(self) -> list[str]:
        """Services that `up` starts, dependencies first."""
        ordered: list[str] = []

        def add(name: str) -> None:
            for before in self.file["services"][name].get("depends_on", {}):
                add(before)
            if name not in ordered:
                ordered.append(name)

        for name, service in self.file["services"].items():
            if "profiles" not in service:
                add(name)
        return ordered

    def start(self, name: str) -> None:
        """Start one service once those that it waits for are healthy."""
        for before, wanted in self.file["services"][name].get("depends_on", {}).items():
            assert wanted == {"condition": "service_healthy"}
            self.wait_healthy(before)
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self.argv(name), cwd=self.working_folder(name), env=self.environment(name),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def run(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        """`docker compose run --rm NAME COMMAND…`."""
        entry = [self.mapped(name, part) for part in self.file["services"][name]["entrypoint"]]
        return subprocess.run(
            [*entry, *(command or self.file["services"][name]["command"])],
            cwd=self.working_folder(name), env=self.environment(name), capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    def wait_healthy(self, name: str, timeout_s: float = 180) -> None:
        """Run the service's health check until it passes."""
        deadline = time.monotonic() + timeout_s
        while (checked := self.check(name)).returncode != 0:
            process = self.processes[name]
            assert process.poll() is None, (name, process.returncode, self.log(name).read_text()[-3000:])
            assert time.monotonic() < deadline, (name, checked, self.log(name).read_text()[-3000:])
            time.sleep(0.1)

    def check(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run the service's health check once."""
        health = self.file["services"][name]["healthcheck"]
        kind, *test = health["test"]
        argv = ["sh", "-c", *test] if kind == "CMD-SHELL" else test
        return subprocess.run(
            argv, cwd=self.working_folder(name), env=self.environment(name), capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    def stop(self) -> dict[str, int]:
        """End the services as an engine does, in reverse order; exit codes by name."""
        codes = {}
        for name in reversed(self.processes):
            process = self.processes[name]
            process.send_signal(signal.SIGTERM)
            grace = seconds(self.file["services"][name].get("stop_grace_period", "10s"))
            with contextlib.suppress(subprocess.TimeoutExpired):
                codes[name] = process.wait(grace + 20)  # the machine may be loaded
        return codes

    def argv(self, name: str) -> list[str]:
        service = self.file["services"][name]
        return [self.mapped(name, part) for part in [*service.get("entrypoint", []), *service["command"]]]

    def environment(self, name: str) -> dict[str, str]:
        """What the image gives (its PATH), and what the file sets; a variable without a value is passed on."""
        given = self.file["services"][name].get("environment", {})
        told = {k: self.environ.get(k) if v is None else self.mapped(name, str(v)) for k, v in given.items()}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return clean_env(PATH=path, **{k: v for k, v in told.items() if v is not None})

    def working_folder(self, name: str) -> str:
        """The service's, else the repository: the images' /app."""
        service = self.file["services"][name]
        return self.mapped(name, service["working_dir"]) if "working_dir" in service else str(ROOT)

    def mapped(self, name: str, text: str) -> str:
        """Exchange what is mounted for where it lies on this machine."""
        places = dict(self._mounts(name))
        if not places:
            return text
        targets = "|".join(re.escape(target) for target in sorted(places, key=len, reverse=True))
        return re.sub(rf"(?<![\w./])({targets})(?!\w)", lambda match: places[match[1]], text)

    def _mounts(self, name: str) -> Iterator[tuple[str, str]]:
        service = self.file["services"][name]
        for config in service.get("configs", []):
            place = self.folder / "configs" / Path(config["target"]).name
            place.parent.mkdir(exist_ok=True)
            told = self.file["configs"][config["source"]]
            place.write_text(told.get("content") or (ROOT / told["file"]).read_text())
            yield config["target"], str(place)
        for volume in service.get("volumes", []):
            if isinstance(volume, dict):
                assert volume["source"] == volume["target"]
                continue
            source, _, target = volume.partition(":")
            place = self.folder / "volumes" / source
            place.mkdir(parents=True, exist_ok=True)
            yield target, str(place)

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def end(self) -> None:
        for process in self.processes.values():
            end(process)
