"""The shop's own server, run as its docstring says."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from urllib.request import urlopen

import pytest

from tests.examples.quarry_command import EXAMPLES


@dataclass(frozen=True)
class Shop:
    """A running shop."""

    url: str

    def requests(self) -> dict[str, int]:
        """How often its server was asked for each path."""
        with urlopen(f"{self.url}-/requests") as answer:
            return json.load(answer)


@pytest.fixture
def shop():
    command = [sys.executable, EXAMPLES / "shop" / "shop_site.py", "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield Shop(**json.loads(server.stdout.readline()))
        finally:
            server.terminate()
