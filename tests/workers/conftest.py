from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workers import kit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[kit.Broker]:
    """An empty, durable Redis."""
    with kit.broker(tmp_path) as made:
        yield made


@pytest.fixture
def start_worker() -> Iterator[Callable[..., kit.Worker]]:
    """Function that starts workers; they end with the test."""
    with kit.workers() as start:
        yield start
