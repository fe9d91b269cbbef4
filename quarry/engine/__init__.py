"""The embedded engine: a private Redis-compatible server and one worker, both ending with the command."""

from quarry.engine.budget import RestartBudget
from quarry.engine.embedded import run_embedded
from quarry.engine.fleet import run_fleet
from quarry.engine.server import PrivateServer
from quarry.engine.supervise import Restart, Supervised
from quarry.engine.worker import EmbeddedWorker

__all__ = [
    "EmbeddedWorker",
    "PrivateServer",
    "Restart",
    "RestartBudget",
    "Supervised",
    "run_embedded",
    "run_fleet",
]
