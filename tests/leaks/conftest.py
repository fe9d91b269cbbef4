from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.leaks.crawls import Performance, collect
from tests.leaks.pools import running_proxies
from tests.leaks.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator


class Seen(NamedTuple):
    """What is left of a performance.

    Attributes:
        places: Everything that could be seen, by place.
        carried: How many requests the proxies let through, by username.
        refused: How many one of them refused.
        executors: Environments of executors.
    """

    places: dict[str, bytes]
    carried: dict[str, int]
    refused: int
    executors: frozenset[bytes]


@pytest.fixture(scope="package")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """The performance, played once."""
    folder = tmp_path_factory.mktemp("leaks")
    with running_proxies(folder / "proxies") as proxies:
        with Stage(folder, proxies) as stage:
            performance = Performance(stage)
            performance.play()
        assert stage.watch is not None
        places = collect(stage, performance)
        executors = frozenset(stage.watch.executors)
        yield Seen(places, proxies.carried(), proxies.asking.refused, executors)
