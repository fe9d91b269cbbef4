"""An http proxy of our own that fails on demand, as a process with a log of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.proxies.servers import HOST, ProxyProcess

FAULTS = ("none", "refuse", "hang", "407", "502", "cut")


class FailingProxy(ProxyProcess):
    """Carries plain http and CONNECT; asks for its credentials by 407; does what `fail` says."""

    protocol = "http"

    def fail(self, fault: str) -> None:
        """Switch the fault for all requests from now on, and wait until that is so.

        Args:
            fault: ``none``; ``refuse``: nobody listens; ``hang``: requests are read and never answered;
                ``407``: good credentials are refused too; ``502``; ``cut``: half an answer, then a reset.
        """
        assert fault in FAULTS
        process = self._process
        assert process is not None
        process.stdin.write(f"{fault}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline() == f"{fault}\n".encode()

    def requests(self) -> list[dict[str, object]]:
        """Each request in order: number, ns of the machine's clock, method, target, whether its credentials
        were right, and how it ended.
        """
        log = self.folder / "log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def carried(self) -> list[str]:
        return [str(request["target"]) for request in self.requests() if request["how"] == "carried"]

    def refused(self) -> int:
        """How many requests it turned away for their credentials."""
        return sum(not request["authorised"] for request in self.requests())

    def start(self) -> Self:
        assert self._process is None
        self._process = subprocess.Popen(
            self._argv(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        self._process.stdin.write(f"{self.username}:{self.password}\n".encode())
        self.fail("none")
        return self

    def stop(self) -> None:
        process = self._process
        super().stop()
        if process is not None:
            process.stdin.close()
            process.stdout.close()

    def _argv(self) -> list[str]:
        given = [HOST, str(self.port), str(self.folder / "log"), self.source or HOST]
        return [sys.executable, "-m", "tests.proxies.failing_main", *given]
