"""Plays a scenario with something that befalls its process, and compares what it leaves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tests.protocol.outcome import check_end, outcome
from tests.protocol.stage import Stage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.protocol.processes import Ended, Zygote
    from tests.protocol.scenarios import Scenario
    from tests.scheduler.servers import PrivateServer

LONG = os.environ.get("QUARRY_LONG") == "1"
"""Whether the larger form was asked for."""


class Trial:
    """A scenario, what it leaves when nothing happens, and tries of it.

    Attributes:
        points: Names of the points of its undisturbed process.
    """

    def __init__(
        self, server: PrivateServer, zygote: Zygote, folder: Path, scenario: Scenario, *, light: bool = True
    ) -> None:
        self.stage = Stage(server, zygote, folder, scenario, light=light)
        self.points = self.stage.play().points
        self.stage.finish()
        check_end(self.stage.client, self.stage.storage, orphans=scenario.dead)
        self._expected = outcome(self.stage.storage)

    def check(self, what: str, ended: Ended, number: int, *, killed: int = 0, finish: bool = True) -> None:
        """Let the crawl come to its end, and compare.

        Args:
            what: What befell the process.
            ended: The process.
            number: The point at which it did.
            killed: Processes that were killed.
            finish: Whether another process has to see it to its end.
        """
        stage = self.stage
        try:
            if finish:
                stage.finish()
            check_end(stage.client, stage.storage, orphans=stage.scenario.dead + killed)
            found = outcome(stage.storage)
            assert found == self._expected
        except AssertionError as error:
            raise AssertionError(f"{stage.scenario.name}: {what} at {ended.at(number)}: {error}") from error

    def play(self, **orders: Any) -> Ended:
        """Play it from the start."""
        return self.stage.play(**orders)
