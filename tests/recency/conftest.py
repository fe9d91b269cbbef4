"""Real servers for pools, one of each kind a session."""

from __future__ import annotations

import pytest

from tests.scheduler.servers import KINDS, running_server


@pytest.fixture(scope="session", params=KINDS)
def server(request):
    """A server of each kind."""
    with running_server(request.param) as running:
        yield running
