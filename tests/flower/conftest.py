from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.flower.fleet import Fleet, wait_for
from tests.workers.kit import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = ("ada", "lovelace-1815")


class Flower:
    """A real Flower on loopback, asked over HTTP."""

    def __init__(
        self, fleet: Fleet, *arguments: str, env: dict[str, str] | None = None, prefix: str = ""
    ) -> None:
        self.fleet = fleet
        self.prefix = prefix
        self.port = free_port()
        made = {"FLOWER_BASIC_AUTH": ":".join(USER), "FLOWER_PORT": str(self.port), **(env or {})}
        self.process = fleet.celery("flower", "-A", "workers.flower", "flower", *arguments, env=made)
        wait_for(lambda: self.status("/healthcheck") == 200, "Flower", timeout_s=60)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    def request(self, path: str, *, user: tuple[str, str] | None = USER, method: str = "GET") -> Any:
        headers = {}
        if user is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(user).encode()).decode()
        return urllib.request.Request(self.url + path, headers=headers, method=method)

    def status(self, path: str, **options: Any) -> int:
        """The status of an answer; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(self.request(path, **options), timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def text(self, path: str) -> str:
        with urllib.request.urlopen(self.request(path), timeout=30) as answer:
            return str(answer.read().decode())

    def tasks(self) -> dict[str, dict[str, Any]]:
        """What the API says of all tasks, by id."""
        return dict(json.loads(self.text("/api/tasks")))

    def workers(self) -> dict[str, bool]:
        """Whether each known worker is online, as the page of workers says it."""
        rows = json.loads(self.text("/workers?json=1"))["data"]
        return {row["hostname"]: bool(row["status"]) for row in rows}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("fleet")) as made:
        yield made


@pytest.fixture(scope="module")
def flower(fleet: Fleet) -> Flower:
    """Flower and one worker that it knows of."""
    made = Flower(fleet)
    fleet.worker("http-1")
    wait_for(lambda: made.workers().get("http-1@shop"), "the worker in Flower")
    return made
