"""What ``verify`` finds."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong with a dataset.

    Attributes:
        kind: A fixed word, listed in the LODE contract.
        path: Where, relative to the dataset's root.
        text: What, in one sentence.
    """

    kind: str
    path: str
    text: str
