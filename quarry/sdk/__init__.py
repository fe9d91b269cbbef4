"""What a script sees. Importing it loads nothing heavy: clients and browsers start on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarry.sdk.batch import Batcher, batcher
from quarry.sdk.context import BrowserProvider, Context
from quarry.sdk.hooks import Continue, Skip, TerminalSignal
from quarry.sdk.storage_batch import StorageBatcher, storage_batcher

if TYPE_CHECKING:
    from quarry.sdk.channel import Channel
    from quarry.sdk.emit import Emit
    from quarry.sdk.memory import Memory, MemorySnapshot
    from quarry.sdk.run_info import RunInfo
    from quarry.sdk.storage import Storage
    from quarry.sdk.terminal import TerminalGuard

__all__ = [
    "Batcher",
    "BrowserProvider",
    "Channel",
    "Context",
    "Continue",
    "Emit",
    "Memory",
    "MemorySnapshot",
    "RunInfo",
    "Skip",
    "Storage",
    "StorageBatcher",
    "TerminalGuard",
    "TerminalSignal",
    "batcher",
    "storage_batcher",
]

_HOMES = {
    "Channel": "channel",
    "Emit": "emit",
    "Memory": "memory",
    "MemorySnapshot": "memory",
    "RunInfo": "run_info",
    "Storage": "storage",
    "TerminalGuard": "terminal",
}
"""Names that scripts use in annotations at most; loaded when asked for."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
