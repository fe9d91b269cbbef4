"""Quarry: a distributed fan-out crawler. ``import quarry`` gives what a script needs and nothing heavy."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from quarry.version import CONTRACT_VERSION, __version__

if TYPE_CHECKING:
    from quarry.errors import EmitError, ProxyRotationError, QuarryError, StoragePutError, TerminalEventError
    from quarry.http import FetchError, Http
    from quarry.sdk import (
        Batcher,
        Context,
        Continue,
        Emit,
        Memory,
        MemorySnapshot,
        RunInfo,
        Skip,
        Storage,
        StorageBatcher,
        TerminalSignal,
        batcher,
        storage_batcher,
    )

__all__ = [
    "CONTRACT_VERSION",
    "Batcher",
    "Context",
    "Continue",
    "Emit",
    "EmitError",
    "FetchError",
    "Http",
    "Memory",
    "MemorySnapshot",
    "ProxyRotationError",
    "QuarryError",
    "RunInfo",
    "Skip",
    "Storage",
    "StorageBatcher",
    "StoragePutError",
    "TerminalEventError",
    "TerminalSignal",
    "__version__",
    "batcher",
    "storage_batcher",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for: `quarry --help` asks for none."""
    if name in {"EmitError", "ProxyRotationError", "QuarryError", "StoragePutError", "TerminalEventError"}:
        home = "quarry.errors"
    elif name in {"FetchError", "Http"}:
        home = "quarry.http"
    elif name in __all__:
        home = "quarry.sdk"
    else:
        raise AttributeError(f"module 'quarry' has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value
