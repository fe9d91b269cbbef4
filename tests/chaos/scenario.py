"""Which faults a run has, and what follows from them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

FAULTS = (
    "worker-kill",
    "executor-kill",
    "redis-kill",
    "worker-pause",
    "client-kill",
    "half-open",
    "redis-rollback",
    "broker-emptied",
    "messages-twice",
    "storage-fails",
    "storage-hangs",
    "disk-full",
    "watcher-kill",
)
"""Every fault, by name; ``all`` is all of them in one run, ``none`` the crawl undisturbed."""

_STORAGE = frozenset({"storage-fails", "storage-hangs", "disk-full"})


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One run of the suite.

    Attributes:
        fault: A fault's name, several with ``+`` between them, ``all`` or ``none``.
        seed: Of graph, moments and victims.
        jobs: Distinct jobs of the crawl.
        switch: What is taken out of the workers; empty for nothing.
    """

    fault: str
    seed: int
    jobs: int
    switch: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no fault.

        Raises:
            ValueError: Naming it.
        """
        if unknown := set(self.faults) - set(FAULTS):
            raise ValueError(
                f"no fault has the name {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}"
            )

    @property
    def faults(self) -> tuple[str, ...]:
        """The faults by name."""
        return {"all": FAULTS, "none": ()}.get(self.fault) or tuple(
            name for name in self.fault.split("+") if name != "none"
        )

    @property
    def storage_faults(self) -> bool:
        """Whether the workers' storage is disturbed."""
        return bool(_STORAGE & set(self.faults))

    @property
    def proxied(self) -> bool:
        """Whether workers reach Redis through a proxy."""
        return "half-open" in self.faults

    @property
    def max_attempts(self) -> int:
        """Two; where executors are killed enough that no job ends by that: each kill may cost one."""
        return self.times("executor-kill") + 2 if "executor-kill" in self.faults else 2

    @property
    def long_jobs(self) -> bool:
        """Whether some jobs take longer than a lease."""
        return True

    def times(self, fault: str) -> int:
        """How often a fault strikes in a run."""
        alone = {"half-open": 3, "worker-kill": 6, "worker-pause": 4, "storage-hangs": 3, "watcher-kill": 3}
        wanted = alone.get(fault, 5)
        if len(self.faults) > 1:
            wanted = max(wanted // 2, 1) + self.jobs // 4000
        return wanted if self.jobs >= 400 else max(min(wanted, 2), 1)
