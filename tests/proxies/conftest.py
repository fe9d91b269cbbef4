"""The fleet that several modules share; their tests are of one group of xdist, so that there is one."""

from __future__ import annotations

import pytest

from tests.proxies.rig import ENTRIES, POOLS, running_rig


@pytest.fixture(scope="package")
def rig(tmp_path_factory):
    """Four workers of six slots each, and twelve proxies."""
    folder = tmp_path_factory.mktemp("rig")
    with running_rig(folder, POOLS, proxies=12, workers=4, more={"scripts": ENTRIES}) as made:
        yield made
