"""The strict policy over a sink that remembers."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.errors import ConfigError, StoreError
from quarry.ipc.frames import ArtifactChunk
from quarry.policy import POLICY_NAMES, PolicyCounters, StrictPolicy, make_policy
from quarry.types import EVENT_TYPES, Event


class RememberingSink:
    """Keeps what it is given; refuses the writes whose numbers (from 1) it was told."""

    def __init__(self, *refused: int) -> None:
        self.calls: list[list[int]] = []
        self.writes = 0
        self.refused = refused

    def append(self, events) -> None:
        self._write()
        self.calls.append([event.seq for event in events])

    def append_chunk(self, chunk) -> None:
        self._write()
        self.calls.append([-chunk.seq])

    def _write(self) -> None:
        self.writes += 1
        if self.writes in self.refused:
            raise StoreError("no space", kind="no_space")


def events(*types: str, start: int = 1) -> list[Event]:
    return [
        Event(
            contract_version="1.0",
            event_id=str(seq),
            run_id="r",
            seq=seq,
            type=kind,
            ts="2026-01-31T00:00:00.000Z",
            payload={},
            attempt=1,
        )
        for seq, kind in enumerate(types, start)
    ]


@pytest.mark.clause("POLICY-01")
def test_events_that_arrived_together_are_one_write_that_is_done_when_ingest_returns():
    """No event waits in the policy; a batch costs one write."""
    sink = RememberingSink()
    policy = StrictPolicy(sink)
    policy.ingest(events("item", "log"))
    assert sink.calls == [[1, 2]]
    policy.ingest([])
    policy.flush()
    assert sink.writes == 1


@pytest.mark.clause("POLICY-02", "POLICY-03")
@given(
    st.lists(st.lists(st.sampled_from(sorted(EVENT_TYPES)), max_size=4), max_size=8),
    st.sets(st.integers(1, 8)),
)
def test_order_and_balance_hold_whatever_fails(batches, refused):
    """What the sink has is what was received less whole refused batches, and the counters say so by type."""
    sink = RememberingSink(*refused)
    policy = StrictPolicy(sink)
    start = 1
    kept: list[str] = []
    received: list[str] = []
    for batch in batches:
        try:
            policy.ingest(events(*batch, start=start))
        except StoreError:
            pass
        else:
            kept += batch
        received += batch
        start += len(batch)
        counters = policy.counters()
        assert counters.imbalances() == []
        for kind in EVENT_TYPES:
            assert counters.received.get(kind, 0) == received.count(kind)
            assert counters.persisted.get(kind, 0) == kept.count(kind)
    written = [seq for call in sink.calls for seq in call]
    assert written == sorted(set(written))


@pytest.mark.clause("POLICY-04", "POLICY-05")
@pytest.mark.parametrize("kind", sorted(EVENT_TYPES))
def test_failure_to_keep_any_event_leaves_the_policy(kind):
    """Strict swallows no storage error, not even for an event that another policy may drop."""
    policy = StrictPolicy(RememberingSink(1))
    with pytest.raises(StoreError) as caught:
        policy.ingest(events(kind))
    assert caught.value.kind == "no_space"
    assert policy.counters().dropped == {kind: 1}


@pytest.mark.clause("POLICY-06")
def test_chunks_reach_the_sink_before_their_event():
    """A chunk is written through at once."""
    sink = RememberingSink()
    policy = StrictPolicy(sink)
    policy.chunk(ArtifactChunk(artifact_id="a", seq=1, is_last=True, data=b"x"))
    assert sink.calls == [[-1]]
    policy.ingest(events("artifact"))
    assert sink.calls == [[-1], [1]]


@pytest.mark.clause("POLICY-04")
def test_chunk_that_can_not_be_kept_is_an_error():
    """The sink's error leaves the policy."""
    with pytest.raises(StoreError):
        StrictPolicy(RememberingSink(1)).chunk(ArtifactChunk(artifact_id="a", seq=1, is_last=True, data=b""))


@pytest.mark.clause("POLICY-07")
def test_policies_are_made_by_name():
    """Every listed name makes a policy of that name; another is refused with the list."""
    for name in POLICY_NAMES:
        assert make_policy(name, RememberingSink()).name == name
    with pytest.raises(ConfigError, match=r"'stirct'.*strict"):
        make_policy("stirct", RememberingSink())


@pytest.mark.clause("POLICY-08")
def test_counters_are_json_and_a_snapshot():
    """They survive JSON, and later events do not change a snapshot."""
    policy = StrictPolicy(RememberingSink())
    policy.ingest(events("item", "log", "item"))
    first = policy.counters()
    policy.ingest(events("item", start=4))
    assert first == PolicyCounters(received={"item": 2, "log": 1}, persisted={"item": 2, "log": 1})
    assert msgspec.json.decode(msgspec.json.encode(first), type=PolicyCounters) == first


@pytest.mark.clause("POLICY-03")
def test_imbalance_names_the_type():
    """The sentence holds the three numbers."""
    (text,) = PolicyCounters(received={"log": 3}, persisted={"log": 1}, dropped={"log": 1}).imbalances()
    assert text == "log: received 3 != persisted 1 + dropped 1"
