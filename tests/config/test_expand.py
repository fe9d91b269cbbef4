"""Variables in the texts of a configuration file."""

from __future__ import annotations

import pytest

from quarry.config.expand import expand

VARIABLES = {"A": "1", "EMPTY": "", "TRICK": "${A}"}


@pytest.mark.clause("CLI-07")
@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("x${A}y${A}", "x1y1"),
        ("${EMPTY}", ""),
        ("${EMPTY:-d}", "d"),
        ("${NOPE:-}", ""),
        ("${NOPE:-a b:c}", "a b:c"),
        ("${A:-d}", "1"),
        ("$A $ 5$", "$A $ 5$"),
        ("$${A} $$", "${A} $"),
        ("${TRICK}", "${A}"),
    ],
)
def test_references_are_replaced_once(text, expanded):
    """A default holds for what is not set or empty; what a variable holds is not expanded again."""
    assert expand(text, VARIABLES) == (expanded, [])


@pytest.mark.clause("CLI-07")
def test_every_reference_without_a_value_is_told_without_any_value():
    """All at once, and nothing of what other variables hold."""
    _, problems = expand("${SECRET} ${NOPE} ${also bad} ${NEITHER}", {"SECRET": "hunter2"})
    assert len(problems) == 3
    assert "NOPE" in problems[0]
    assert "hunter2" not in " ".join(problems)
