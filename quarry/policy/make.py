"""Choose a policy by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarry.errors import ConfigError
from quarry.policy.strict import StrictPolicy

if TYPE_CHECKING:
    from quarry.policy.base import EventSink, Policy

POLICY_NAMES = ("strict",)
"""Names that ``make_policy`` knows."""


def make_policy(name: str, sink: EventSink) -> Policy:
    """Make the policy of that name over a sink.

    Args:
        name: One of POLICY_NAMES.
        sink: Where its events go.

    Raises:
        ConfigError: No policy has that name.
    """
    if name == StrictPolicy.name:
        return StrictPolicy(sink)
    raise ConfigError(f"policy: there is no policy {name!r}; choose one of {', '.join(POLICY_NAMES)}")
