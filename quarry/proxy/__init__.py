"""Which endpoint a run gets: strategies, and the store that they ask."""

from quarry.proxy.rotation import ProxyWatcher, Rotation, RunProxy
from quarry.proxy.store import RecencyStore
from quarry.proxy.strategies import Circumstances, decide_ask

__all__ = ["Circumstances", "ProxyWatcher", "RecencyStore", "Rotation", "RunProxy", "decide_ask"]
