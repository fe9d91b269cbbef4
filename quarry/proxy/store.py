"""What the rotation needs of a store; `quarry.recency` has two, `quarry.testing` the suite that both pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quarry.types.proxy import ProxyPool
    from quarry.types.rotation import Ask, Choice, Definition, PoolFigures, ProxyReport, Verdict


class RecencyStore(Protocol):
    """State of pools, kept under name and digest: two definitions of one name never share it.

    Every call is atomic for everybody who uses the store. Calls raise `QuarryError` where the store is away;
    none waits for an endpoint to become free.
    """

    async def announce(self, pool: ProxyPool) -> list[Definition]:
        """Note that a definition is in use; answer as `definitions` does, this one among them."""
        ...

    async def definitions(self) -> list[Definition]:
        """List the definitions in use within the last seven days, by name, then digest."""
        ...

    async def choose(self, pool: ProxyPool, ask: Ask) -> Choice:
        """Exclude, pick and mark one endpoint."""
        ...

    async def peek(self, pool: ProxyPool, asks: Sequence[Ask]) -> list[Choice]:
        """Answer what `choose` would, to these questions in this order; mark nothing."""
        ...

    async def report(self, pool: ProxyPool, report: ProxyReport) -> Verdict:
        """Count what a run found out, and let the endpoint rest where it must."""
        ...

    async def figures(self, pool: ProxyPool) -> PoolFigures:
        """Read everything that is known of a pool, at one moment."""
        ...
