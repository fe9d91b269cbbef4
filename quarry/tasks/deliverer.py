"""What the pool runs: one deliverer a worker process, made by a factory that is named in a setting."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from quarry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable


CRAWL_GONE = "crawl_gone"
"""What a deliverer says as ``outcome`` of a message that names a crawl which is not there."""


class Deliverer(Protocol):
    """Executes deliveries; every method runs on the pool's event loop."""

    async def start(self) -> None:
        """Open what deliveries share (executors, connections, the heartbeat)."""

    async def deliver(self, crawl: str, key: str) -> dict[str, Any]:
        """Execute one delivery and return a small dict for Flower; cancelled where it must end early."""

    async def stop(self, grace_s: float) -> None:
        """Close what `start` opened, within `grace_s` seconds."""


def load_factory(dotted: str) -> Callable[[str, int], Deliverer]:
    """Import a deliverer's factory.

    Args:
        dotted: ``package.module:function``; it is called with the broker's URL (redis-py's spelling) and the
            most deliveries at once that the pool may be grown to.

    Raises:
        ConfigError: The name has no colon, or the module no such function.
    """
    module_name, colon, name = dotted.partition(":")
    if not colon:
        raise ConfigError(f"deliverer {dotted!r}: write package.module:function")
    factory = getattr(import_module(module_name), name, None)
    if not callable(factory):
        raise ConfigError(f"deliverer {dotted!r}: {module_name} has no function {name}")
    return cast("Callable[[str, int], Deliverer]", factory)
