"""Which run an attempt is: the same whoever asks."""

from __future__ import annotations

import uuid

import pytest

from quarry.crawl.plan import JobPayload
from quarry.crawl.records import identity_of
from quarry.types import derived_run_id, is_safe_segment, new_run_id
from tests.crawl.test_summary import plan

KEY = "ab" * 16


def job(**more):
    return JobPayload(target="x.py", params={}, source="s", category="c", **more)


@pytest.mark.clause("RUN-21")
def test_root_keeps_the_name_its_user_gave_and_retries_are_derived():
    """Attempt 2 is a new run whose parent is attempt 1, of the same root."""
    first = identity_of(plan(), KEY, job(run_id="mine"), attempt=1, depth=0)
    second = identity_of(plan(), KEY, job(run_id="mine"), attempt=2, depth=0)
    assert (first.run_id, first.parent_run_id, first.root_run_id) == ("mine", None, "mine")
    assert (second.parent_run_id, second.root_run_id) == ("mine", "mine")
    assert second.run_id == derived_run_id("c1", KEY, 2)


@pytest.mark.clause("RUN-21")
def test_child_names_its_emitter_at_attempt_1_and_the_attempt_before_above():
    """And keeps the root."""
    child = job(parent_run_id="emitter", root_run_id="root")
    first = identity_of(plan(), KEY, child, attempt=1, depth=2)
    second = identity_of(plan(), KEY, child, attempt=2, depth=2)
    assert first.parent_run_id == "emitter"
    assert second.parent_run_id == first.run_id
    assert first.root_run_id == second.root_run_id == "root"


@pytest.mark.clause("RUN-21")
def test_a_later_first_attempt_is_the_users():
    """--attempt 3 --parent-run-id P: the root starts there."""
    root = job(run_id="again", parent_run_id="before")
    first = identity_of(plan(first_attempt=3), KEY, root, attempt=3, depth=0)
    assert (first.run_id, first.parent_run_id, first.attempt) == ("again", "before", 3)


@pytest.mark.clause("RUN-20")
def test_derived_ids_are_uuid_version_8_and_fresh_ones_version_7():
    """RFC 9562 versions and variant."""
    derived = uuid.UUID(derived_run_id("c", KEY, 1))
    fresh = uuid.UUID(new_run_id())
    assert (derived.version, fresh.version) == (8, 7)
    assert derived.variant == fresh.variant == uuid.RFC_4122
    assert derived_run_id("c", KEY, 1) == str(derived)
    assert len({derived_run_id(c, k, a) for c in "ab" for k in (KEY, "0" * 32) for a in (1, 2)}) == 8


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "a\0", "-x", "é", "a b", "x" * 201])
def test_unsafe_path_segments_are_refused(text):
    """A run id becomes a folder's name."""
    assert not is_safe_segment(text)
