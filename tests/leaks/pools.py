"""The configuration that the secrets are planted in, and the proxies that it names."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.leaks.asking_proxy import AskingProxy
from tests.leaks.planted import (
    DEAD,
    JOB_FILE,
    JOB_VARIABLE,
    LIST_FILE,
    LIST_VARIABLE,
    MAPPING,
    SOCKS,
    TINYPROXY,
    URL,
    VARIABLE,
    WRONG,
    Planted,
)
from tests.proxies.servers import Microsocks, Tinyproxy
from tests.workers.kit import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).parent / "scripts" / "visit.py"
TARGETS = ("file", "list", "env", "socks", "tiny", "wrong", "refused", "dead", "direct")
"""Logical names of the one script, each with a pool of its own; ``direct`` has none."""


@dataclass(frozen=True)
class Proxies:
    """The proxies that run.

    Attributes:
        asking: Takes the passwords that tinyproxy can't take.
        tiny: A real one.
        socks: A real SOCKS5 one.
        dead_port: Nobody listens there.
    """

    asking: AskingProxy
    tiny: Tinyproxy
    socks: Microsocks
    dead_port: int

    def carried(self) -> dict[str, int]:
        """How many requests each has let through."""
        asked = {user: self.asking.carried.count(user) for user in self.asking.carried}
        return {
            **asked,
            TINYPROXY.username: len(self.tiny.carried()),
            SOCKS.username: len(self.socks.carried()),
        }


@contextlib.contextmanager
def running_proxies(folder: Path) -> Iterator[Proxies]:
    known = [f"{each.username}:{each.value}" for each in (MAPPING, URL, VARIABLE, LIST_VARIABLE, LIST_FILE)]
    with (
        AskingProxy(*known) as asking,
        Tinyproxy(folder / "tiny", username=TINYPROXY.username, password=TINYPROXY.value) as tiny,
        Microsocks(folder / "socks", username=SOCKS.username, password=SOCKS.value) as socks,
    ):
        yield Proxies(asking, tiny, socks, free_port())


def write_config(folder: Path, proxies: Proxies) -> tuple[Path, dict[str, str]]:
    """Plant everything; give the configuration file, and the variables that belong to it."""
    asking = proxies.asking.port
    list_file = folder / "list.txt"
    list_file.write_text(f"# one a line\n{_url(LIST_FILE, asking)}\n")
    list_file.chmod(0o600)
    document = {
        "proxies": {
            "m4rker-file": {
                "endpoints": [
                    _mapping(MAPPING, asking),
                    _url(URL, asking),
                    _mapping(VARIABLE, asking, password="${LEAKS_PASSWORD}"),
                ]
            },
            "m4rker-list": {"endpoints_file": "list.txt"},
            "m4rker-env": {"endpoints_env": "LEAKS_ENDPOINTS"},
            "m4rker-socks": {"endpoints": [_mapping(SOCKS, proxies.socks.port, protocol="socks5")]},
            "m4rker-tiny": {"endpoints": [_mapping(TINYPROXY, proxies.tiny.port)]},
            "m4rker-wrong": {"endpoints": [_mapping(WRONG, proxies.tiny.port)], "health": {"failures": 1}},
            "m4rker-refused": {"endpoints": [_mapping(WRONG, asking)]},
            "m4rker-dead": {
                "strategy": "random",
                "endpoints": [
                    _mapping(DEAD, proxies.dead_port, protocol=protocol)
                    for protocol in ("http", "https", "socks5")
                ],
            },
        },
        "scripts": {
            target: {
                "path": shutil.copy(SCRIPT, folder / f"visit-{target}.py").name,
                "proxy": "none" if target == "direct" else f"m4rker-{target}",
            }
            for target in TARGETS
        },
        "secrets": {"FILED": JOB_FILE.value},
    }
    path = folder / "quarry.yaml"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False))  # JSON is YAML
    path.chmod(0o600)
    return path, {
        "LEAKS_PASSWORD": VARIABLE.value,
        "LEAKS_ENDPOINTS": _url(LIST_VARIABLE, asking),
        "QUARRY_SECRET_GIVEN": JOB_VARIABLE.value,
    }


def make_job(url: str, **more: object) -> dict[str, object]:
    """Make a job that refers to both job secrets."""
    return {
        "url": url,
        "note": "m4rker-note",
        "token": {"$secret": "GIVEN"},
        "key": {"$secret": "FILED"},
        **more,
    }


def _mapping(planted: Planted, port: int, **changed: str) -> dict[str, object]:
    return {
        "protocol": "http",
        "host": "127.0.0.1",
        "port": port,
        "username": planted.username,
        "password": planted.value,
        **changed,
    }


def _url(planted: Planted, port: int) -> str:
    return f"http://{planted.user_info}@127.0.0.1:{port}"
