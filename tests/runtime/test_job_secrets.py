"""Secrets that jobs name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.runtime.job_secrets import conceal, find_references, resolve
from quarry.types import Secret

SECRETS = {"KEY": Secret("k-1"), "TOKEN": Secret("t-2")}

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
        | st.sampled_from(sorted(SECRETS)).map(lambda name: {"$secret": name})
    ),
    max_leaves=20,
)


@pytest.mark.clause("PROXY-23")
def test_references_are_found_and_resolved_wherever_they_stand():
    """In maps, in lists, at the top; what only looks like one stays."""
    job = {
        "a": {"$secret": "KEY"},
        "b": [1, {"$secret": "TOKEN"}],
        "c": {"$secret": 5},
        "d": {"$secret": "X", "e": 1},
    }
    assert find_references(job) == ["KEY", "TOKEN"]
    assert resolve(job, SECRETS) == {**job, "a": "k-1", "b": [1, "t-2"]}
    assert resolve({"$secret": "KEY"}, SECRETS) == "k-1"


@pytest.mark.clause("PROXY-23")
@given(_JSON)
def test_what_a_script_passes_on_is_the_reference_again(job):
    """Whatever the job: resolved, then concealed, it is what it was."""
    assert conceal(resolve(job, SECRETS), SECRETS) == job


def test_two_names_of_one_text_become_the_first():
    """The text alone can't tell which of them it was."""
    assert conceal(["same"], {"B": Secret("same"), "A": Secret("same")}) == [{"$secret": "A"}]
