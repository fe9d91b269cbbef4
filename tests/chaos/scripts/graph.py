"""The computed graph: what job n does is a function of (seed, n). Pure; scripts and checks both import it.

The graph is layered, so that the set of jobs does not depend on the order in which they run: layer 0 are the
roots, a job enqueues jobs of the next layer alone. Together the jobs of a layer cover the next one; each
enqueues some that are another's too. The last layer enqueues jobs that lie beyond the depth bound.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

SHARES = (3, 10, 22, 30, 35)
"""Size of each layer, in hundredths."""

LONG_LAYER = 2
"""The layer that has the longest jobs, about a dozen of them."""

PARTS = 2
"""Items that a job emits, at most."""


@functools.cache
def layers_of(jobs: int) -> tuple[range, ...]:
    """Divide job numbers into layers."""
    ends = [max(jobs * sum(SHARES[: at + 1]) // 100, 1) for at in range(len(SHARES))]
    firsts, lasts = [0, *ends[:-1]], [*ends[:-1], jobs]
    return tuple(range(first, last) for first, last in zip(firsts, lasts, strict=True))


@dataclass(frozen=True)
class Graph:
    """The graph of a seed.

    Args:
        seed: Chooses the graph.
        jobs: How many distinct jobs it has; at least 40.
        long_ms: How long its longest jobs take: longer than a lease, so that two may execute one.
    """

    seed: int
    jobs: int
    long_ms: int = 0

    def layers(self) -> tuple[range, ...]:
        """Give the jobs of each layer."""
        return layers_of(self.jobs)

    def depth(self, n: int) -> int:
        """Give the layer of a job."""
        return next(depth for depth, layer in enumerate(self.layers()) if n in layer)

    def children(self, n: int) -> list[int]:
        """Give the jobs that a job enqueues, in order; below the last layer they are negative numbers."""
        layers = self.layers()
        depth = self.depth(n)
        if depth + 1 == len(layers):
            return [-1 - n] if self.draw("beyond", n) % 3 == 0 else []
        own, below = layers[depth], layers[depth + 1]
        at = n - own.start
        mine = range(at * len(below) // len(own), (at + 1) * len(below) // len(own))
        others = [self.draw("other", n, i) % len(below) for i in range(self.draw("others", n) % 4)]
        return [below.start + place for place in (*mine, *others)]

    def fate(self, n: int) -> str:
        """Say how a job ends: ``success``, ``fails`` (every attempt) or ``fails_first`` (the first only)."""
        if self.is_long(n):
            return "success"
        draw = self.draw("fate", n) % 100
        return "fails" if draw < 3 else "fails_first" if draw < 9 else "success"

    def parts(self, n: int) -> int:
        """Say how many items a job emits."""
        return 1 + self.draw("parts", n) % PARTS

    def pauses_ms(self, n: int) -> tuple[int, int]:
        """Give the milliseconds that a job takes before its enqueues and after them."""
        if self.is_long(n):
            return 5, self.long_ms
        slow = 10 if self.draw("slow", n) % 20 == 0 else 1
        return self.draw("before", n) % 80 * slow, self.draw("after", n) % 80 * slow

    def is_long(self, n: int) -> bool:
        """Say whether a job is one of the longest; none of them fails, or its attempts would take minutes."""
        every = max(self.jobs // 50, 5)
        return self.long_ms > 0 and self.depth(n) == LONG_LAYER and self.draw("long", n) % every == 0

    def draw(self, *what: object) -> int:
        """Draw a number that depends on the seed and on what it is for."""
        text = ":".join(str(part) for part in (self.seed, *what))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
