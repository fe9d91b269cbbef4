"""``quarry metrics serve``."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import click

from quarry.cli.flags import SectionCommand, flags_of, make_options

if TYPE_CHECKING:
    from quarry.crawl.fleet_figures import FleetReader
    from quarry.metrics import FleetFigures

_HOST = "127.0.0.1"
_PORT = 9108
_MAX_PORT = 65_535


def serve_metrics(**values: Any) -> int:
    """Serve until a signal."""
    from quarry.cli.messages import say
    from quarry.cli.reading import load_reading
    from quarry.crawl.fleet_figures import FleetReader
    from quarry.errors import ConfigError
    from quarry.metrics.fleet import make_fleet_registry
    from quarry.metrics.server import MetricsServer
    from quarry.redisio import client_url

    port = _check_port(values["port"])
    broker = load_reading(flags_of(values), values["config"]).broker
    if not broker:
        raise ConfigError("no broker: name it with --broker or QUARRY_BROKER")
    client_url(broker)  # a malformed address is told now, not at each scrape
    reader = FleetReader(broker)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    registry = make_fleet_registry(Told(reader))
    server = MetricsServer(registry, host=values["host"], port=port)
    say(f"metrics: {server.url}")
    ended.wait()
    server.close()
    return 0


class Told:
    """Reads for a scrape, one after the other, and says when Redis goes away and when it is back."""

    def __init__(self, reader: FleetReader) -> None:
        self._reader = reader
        self._turn = threading.Lock()
        self._away = False

    def __call__(self) -> FleetFigures | None:
        """Look once."""
        from quarry.cli.messages import say
        from quarry.cli.visible import visible

        with self._turn:
            found = self._reader.read_blocking()
            if (found is None) != self._away:
                self._away = found is None
                say(
                    visible(f"metrics: {self._reader.problem}")
                    if self._away
                    else "metrics: Redis answers again"
                )
        return found


def _check_port(text: str) -> int:
    from quarry.config.values import integer_between
    from quarry.errors import ConfigError

    try:
        return integer_between(0, _MAX_PORT)(text)
    except ValueError as error:
        raise ConfigError(f"--port: {error}, not {text!r}") from error


command = SectionCommand(
    "serve",
    callback=serve_metrics,
    help=(
        "Serve figures of a broker and its crawls to Prometheus, at /metrics, until Ctrl-C. Each scrape reads"
        " Redis; a Redis that is away is quarry_up 0. There is no password: leave --host on loopback, or on a"
        " network of your own."
    ),
    params=[
        click.Option(
            ["--host"], metavar="ADDRESS", default=_HOST, help=f"Address to listen on.  [default: {_HOST}]"
        ),
        click.Option(
            ["--port"],
            metavar="N",
            default=str(_PORT),
            help=f"Port to listen on; 0 takes any that is free.  [default: {_PORT}]",
        ),
        *make_options(("broker",)),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
