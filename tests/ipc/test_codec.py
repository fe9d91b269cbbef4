"""The codec: every split of the stream, every leniency, every strictness, any bytes."""

from __future__ import annotations

import itertools
import struct

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quarry.errors import FrameTooLargeError, ProtocolError
from quarry.ipc import (
    MAX_FRAME_BYTES,
    ArtifactChunk,
    Cancel,
    Credit,
    FileWrite,
    FileWriteAck,
    FrameDecoder,
    Hello,
    ProxyFrame,
    RunRequest,
    RunResultFrame,
    StderrFrame,
    UnknownFrame,
    encode_frame,
)
from quarry.types import EVENT_TYPES, Event

RESERVED = {
    "artifact_chunk", "file_write", "file_write_ack", "run_result", "proxy",
    "hello", "stderr", "run_request", "cancel", "credit",
}  # fmt: skip
EVENT = {
    "contract_version": "1.0",
    "event_id": "e",
    "run_id": "r",
    "seq": 1,
    "type": "item",
    "ts": "2026-01-31T12:00:00.000Z",
    "payload": {"item_type": "t", "data": None},
    "attempt": 1,
}

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
payloads = st.dictionaries(text, json_values, max_size=4)
optional = st.none() | text
events = st.builds(
    Event,
    contract_version=text,
    event_id=text,
    run_id=text,
    seq=st.integers(0, 2**63),
    type=st.sampled_from(sorted(EVENT_TYPES)) | text.filter(lambda name: name not in RESERVED),
    ts=text,
    payload=payloads,
    attempt=st.integers(0, 2**31),
    job_id=optional,
    parent_run_id=optional,
    root_run_id=optional,
    depth=st.none() | st.integers(0, 1000),
)
outbound = st.one_of(
    events,
    st.builds(
        ArtifactChunk,
        artifact_id=text,
        seq=st.integers(0, 2**32),
        is_last=st.booleans(),
        data=st.binary(max_size=300),
        run_id=optional,
    ),
    st.builds(
        FileWrite,
        write_id=st.integers(0, 2**32 - 1),
        filename=text,
        content_type=text,
        data=st.binary(max_size=300),
        run_id=optional,
    ),
    st.builds(
        RunResultFrame,
        outcome=payloads.map(lambda p: {"status": "completed", "message": "m", **{k + "_": p[k] for k in p}}),
        proxy_used=st.none() | payloads,
        run_id=optional,
    ),
    st.builds(Hello, contract_version=text, pid=st.integers(1, 2**22), capacity=st.integers(1, 999)),
    st.builds(StderrFrame, run_id=text, text=text),
)
inbound = st.one_of(
    st.builds(
        RunRequest,
        run_id=text,
        attempt=st.integers(1, 99),
        job=json_values,
        job_id=optional,
        parent_run_id=optional,
        root_run_id=optional,
        depth=st.none() | st.integers(0, 9),
        proxy=st.none() | payloads,
        storage=st.none() | payloads,
        contract_version=optional,
        script=optional,
        credit_bytes=st.none() | st.integers(1, 2**40),
    ),
    st.builds(Cancel, run_id=text),
    st.builds(Credit, run_id=text, bytes=st.integers(0, 2**40)),
    st.builds(
        FileWriteAck,
        write_id=st.integers(0, 2**32 - 1),
        ok=st.booleans(),
        key=optional,
        error=optional,
        run_id=optional,
    ),
    st.builds(ProxyFrame, run_id=text, proxy=st.none() | payloads),
    st.builds(UnknownFrame, type=text.filter(lambda name: name not in RESERVED), fields=payloads).map(
        lambda f: UnknownFrame(type=f.type, fields={k: v for k, v in f.fields.items() if k != "type"})
    ),
)


def framed(value):
    body = value if isinstance(value, bytes) else msgpack.packb(value)
    return struct.pack(">I", len(body)) + body


def decode_one(value, **options):
    [(frame, _)] = FrameDecoder(**options).feed(framed(value))
    return frame


def pieces_of(data, cuts):
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(bounds)]


@pytest.mark.clause("IPC-05")
@given(st.lists(outbound, max_size=6), st.lists(st.integers(0, 10**6), max_size=12))
def test_outbound_round_trip_under_any_split(frames, cuts):
    """What is encoded is decoded, wherever the stream is cut; sizes add up to the stream."""
    data = b"".join(map(encode_frame, frames))
    decoder = FrameDecoder()
    decoded = [pair for piece in pieces_of(data, cuts) for pair in decoder.feed(piece)]
    decoder.close()
    assert [frame for frame, _ in decoded] == frames
    assert sum(size for _, size in decoded) == len(data)


@pytest.mark.clause("IPC-05")
@given(st.lists(inbound, max_size=6), st.lists(st.integers(0, 10**6), max_size=12))
def test_inbound_round_trip_under_any_split(frames, cuts):
    """The same for what an executor reads; frames that it does not know are handed over as such."""
    data = b"".join(map(encode_frame, frames))
    decoder = FrameDecoder(inbound=True)
    decoded = [frame for piece in pieces_of(data, cuts) for frame, _ in decoder.feed(piece)]
    decoder.close()
    assert decoded == frames


@given(outbound)
def test_every_byte_alone(frame):
    """One byte at a time gives the frame with its last byte, and not before."""
    data = encode_frame(frame)
    decoder = FrameDecoder()
    for number in range(len(data) - 1):
        assert decoder.feed(data[number : number + 1]) == []
    assert decoder.feed(data[-1:]) == [(frame, len(data))]


@pytest.mark.clause("IPC-09")
@settings(max_examples=400)
@given(st.binary(max_size=200), st.lists(st.integers(0, 10**6), max_size=4), st.booleans(), st.booleans())
@example(framed(b"\xdd\xff\xff\xff\xff"), [], False, False)
@example(framed(b"\x81\xa1a" + b"\x91" * 100_000), [], False, False)
@example(framed(b"\x81\x90\x01"), [], False, False)
@example(framed(b"\x81\xa4type\xd6\xff\0\0\0\0"), [], False, True)
def test_any_bytes_give_frames_or_a_protocol_error(data, cuts, inbound_side, prefixed):
    """No bytes make the decoder raise anything else, or hang."""
    data = framed(data) if prefixed else data
    decoder = FrameDecoder(inbound=inbound_side)
    try:
        for piece in pieces_of(data, cuts):
            decoder.feed(piece)
        decoder.close()
    except ProtocolError:
        assert decoder.fault is not None


@pytest.mark.clause("IPC-09")
@settings(max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from([*EVENT, "artifact_id", "is_last", "data", "write_id", "outcome", "x"]) | st.integers(0, 3) | st.binary(max_size=3),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | text | st.binary(max_size=4)
            | st.sampled_from([*sorted(RESERVED), "item"])
            | st.builds(msgpack.Timestamp, st.integers(-(2**63), 2**63 - 1), st.integers(0, 999_999_999))
            | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=4)),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text | st.integers(0, 9), inner, max_size=3),
            max_leaves=6,
        ),
    ),
    st.booleans(),
)  # fmt: skip
def test_any_map_gives_a_frame_or_a_protocol_error(changes, inbound_side):
    """Whatever the fields hold, the answer is a frame or a ProtocolError; a frame can be written as JSON."""
    import msgspec

    try:
        frame = decode_one({**EVENT, **changes}, inbound=inbound_side)
    except ProtocolError:
        return
    if not inbound_side:
        msgspec.json.encode(msgspec.to_builtins(frame))


LENIENT = [
    ("map order", dict(reversed(EVENT.items())), {}),
    ("wide integer", framed(msgpack.packb({k: EVENT[k] for k in EVENT if k != "seq"})[:0] + bytes([0x80 | len(EVENT)]) + b"".join(msgpack.packb(k) + (b"\xd3" + struct.pack(">q", 1) if k == "seq" else msgpack.packb(v)) for k, v in EVENT.items()))[4:], {}),
    ("whole float", {**EVENT, "seq": 1.0, "attempt": 1.0, "depth": 2.0}, {"depth": 2}),
    ("bin for text", {**EVENT, "run_id": b"r", "type": b"item"}, {}),
    ("bin key", {(k.encode() if k == "ts" else k): v for k, v in EVENT.items()}, {}),
    ("timestamp", {**EVENT, "ts": msgpack.Timestamp(1_769_860_800, 0)}, {}),
    ("timestamp in payload", {**EVENT, "payload": {"at": msgpack.Timestamp(0, 1_999_999)}}, {"payload": {"at": "1970-01-01T00:00:00.001Z"}}),
    ("timestamp before 1970", {**EVENT, "ts": msgpack.Timestamp(-1, 0)}, {"ts": "1969-12-31T23:59:59.000Z"}),
    ("text packed as bin in payload", {**EVENT, "payload": {b"k": b"v"}}, {"payload": {"k": "v"}}),
    ("broken UTF-8", msgpack.packb({**EVENT, "event_id": "QQ"}).replace(b"QQ", b"a\xff"), {"event_id": "a\ufffd"}),
    ("broken UTF-8 in payload", msgpack.packb({**EVENT, "payload": {"k": "QQ"}}).replace(b"QQ", b"\xed\xa0"), {"payload": {"k": "\ufffd\ufffd"}}),
    ("unknown fields", {**EVENT, "zz": {1: msgpack.ExtType(9, b"x")}, "yy": float("nan")}, {}),
    ("unknown field with lenient ones", {**EVENT, "zz": {1: msgpack.ExtType(9, b"x")}, "seq": 1.0, 7: 8}, {}),
    ("null for an absent option", {**EVENT, "job_id": None, "depth": None}, {}),
    ("unknown event type", {**EVENT, "type": "novelty"}, {"type": "novelty"}),
    ("largest integers", {**EVENT, "payload": {"a": 2**64 - 1, "b": -(2**63)}}, {"payload": {"a": 2**64 - 1, "b": -(2**63)}}),
]  # fmt: skip


@pytest.mark.clause("IPC-06")
@pytest.mark.parametrize(("value", "changes"), [row[1:] for row in LENIENT], ids=[row[0] for row in LENIENT])
def test_liberal(value, changes):
    """What a foreign executor may write differently is read as if it had not."""
    assert decode_one(value) == Event(**{**EVENT, **changes})


STRICT = [
    *[(f"no {name}", {k: v for k, v in EVENT.items() if k != name}, name) for name in EVENT],
    ("seq is text", {**EVENT, "seq": "1"}, "seq must be a whole number, got text"),
    ("seq is a fraction", {**EVENT, "seq": 1.5}, "seq must be a whole number, got a float"),
    ("seq is true", {**EVENT, "seq": True}, "seq must be a whole number, got a boolean"),
    ("seq is NaN", {**EVENT, "seq": float("nan")}, "got nan"),
    ("run_id is null", {**EVENT, "run_id": None}, "run_id must be text, got null"),
    ("job_id is a number", {**EVENT, "job_id": 5}, "job_id must be text"),
    ("payload is a list", {**EVENT, "payload": []}, "payload must be a map, got an array"),
    ("payload with NaN", {**EVENT, "payload": {"a": [float("nan")]}}, "payload holds nan"),
    ("payload with an infinity", {**EVENT, "payload": {"a": float("-inf")}}, "payload holds -inf"),
    ("payload with an integer key", {**EVENT, "payload": {"a": {1: 2}}}, "keys are text"),
    ("payload with binary data", {**EVENT, "payload": {"a": b"\xff\xd8"}}, "binary data"),
    ("payload with an extension", {**EVENT, "payload": {"a": msgpack.ExtType(4, b"")}}, "an extension type"),
    ("payload with a far timestamp", {**EVENT, "payload": {"a": msgpack.Timestamp(2**60, 0)}}, "outside the years"),
    ("no map", [1, 2], "must be a msgpack map, got an array"),
    ("null", None, "must be a msgpack map, got null"),
    ("nothing", b"", "not one msgpack map"),
    ("bytes left over", msgpack.packb(EVENT) + b"\0", "not one msgpack map"),
    ("broken msgpack", b"\xc1", "not one msgpack map"),
    ("a map as key", b"\x81\x80\x01", "not one msgpack map"),
    ("chunk without last", {"type": "artifact_chunk", "artifact_id": "a", "seq": 1, "data": b""}, "is_last is missing"),
    ("chunk with number for last", {"type": "artifact_chunk", "artifact_id": "a", "seq": 1, "is_last": 1, "data": b""}, "true or false"),
    ("chunk with text for data", {"type": "artifact_chunk", "artifact_id": "a", "seq": 1, "is_last": True, "data": "x"}, "data must be bin, got text"),
    ("write id beyond uint32", {"type": "file_write", "write_id": 2**32, "filename": "f", "content_type": "t", "data": b""}, "uint32"),
    ("write id below zero", {"type": "file_write", "write_id": -1, "filename": "f", "content_type": "t", "data": b""}, "uint32"),
    ("result without status", {"type": "run_result", "outcome": {}}, "outcome.status is missing"),
    ("result with a number for message", {"type": "run_result", "outcome": {"status": "error", "message": 5}}, "outcome.message must be text"),
    ("result without outcome", {"type": "run_result"}, "outcome is missing"),
]  # fmt: skip


@pytest.mark.clause("IPC-07")
@pytest.mark.parametrize(("value", "words"), [row[1:] for row in STRICT], ids=[row[0] for row in STRICT])
def test_strict(value, words):
    """A fault is a fault, and its message names the field."""
    with pytest.raises(ProtocolError, match=words):
        decode_one(value)


@pytest.mark.clause("IPC-07")
def test_whole_numbers_for_other_frames():
    """Leniencies hold for every frame, not only for events."""
    chunk = decode_one(
        {"type": b"artifact_chunk", "artifact_id": b"a", "seq": 2.0, "is_last": False, "data": b"x", "u": 1}
    )
    assert chunk == ArtifactChunk(artifact_id="a", seq=2, is_last=False, data=b"x")
    result = decode_one({"type": "run_result", "outcome": {"status": b"error", "message": b"m"}})
    assert result == RunResultFrame(outcome={"status": "error", "message": "m"})


@pytest.mark.clause("IPC-02")
@pytest.mark.parametrize("declared", [MAX_FRAME_BYTES + 1, 2**32 - 1])
def test_oversize_is_refused_by_its_prefix(declared):
    """A frame that declares too much is refused before its body comes."""
    decoder = FrameDecoder()
    with pytest.raises(FrameTooLargeError, match=str(declared)):
        decoder.feed(struct.pack(">I", declared))
    assert decoder.buffered == 0


@pytest.mark.clause("IPC-02")
def test_largest_frame_passes_and_one_byte_more_does_not():
    """16 MiB with the prefix is the limit, in both directions."""
    empty = len(encode_frame(StderrFrame(run_id="r", text="x" * 70_000))) - 70_000
    largest = StderrFrame(run_id="r", text="x" * (16 * 1024 * 1024 - empty))
    data = encode_frame(largest)
    assert len(data) == 16 * 1024 * 1024
    assert FrameDecoder().feed(data) == [(largest, len(data))]
    with pytest.raises(FrameTooLargeError):
        encode_frame(StderrFrame(run_id="r", text=largest.text + "x"))


@pytest.mark.clause("IPC-08")
def test_frames_before_a_fault_are_returned():
    """A fault is known at once, and raised by the next call; what came before it is not lost."""
    decoder = FrameDecoder()
    assert decoder.feed(framed(EVENT) + framed(b"\xc1") + framed(EVENT)) == [
        (Event(**EVENT), len(framed(EVENT)))
    ]
    assert isinstance(decoder.fault, ProtocolError)
    with pytest.raises(ProtocolError):
        decoder.feed(framed(EVENT))
    with pytest.raises(ProtocolError):
        decoder.close()


@pytest.mark.clause("IPC-08")
@given(outbound, st.data())
def test_torn_frame(frame, data):
    """A stream that ends inside a frame is a fault; one that ends between frames is not."""
    whole = encode_frame(frame)
    cut = data.draw(st.integers(1, len(whole) - 1))
    decoder = FrameDecoder()
    decoder.feed(whole + whole[:cut])
    with pytest.raises(ProtocolError, match="inside a frame"):
        decoder.close()


@pytest.mark.clause("IPC-07")
@pytest.mark.parametrize("depth", [3, 7, 60, 150, 199])
def test_deep_payload(depth):
    """A deep payload is read; beyond the limit it is a fault, never a crash."""
    value = "leaf"
    for _ in range(depth):
        value = {"a": [value]} if depth < 60 else [value]
    assert decode_one({**EVENT, "payload": {"v": value}}).payload == {"v": value}


@pytest.mark.clause("IPC-07")
@pytest.mark.parametrize("depth", [202, 600, 100_000])
def test_too_deep_payload(depth):
    """The same from the other side of the limit."""
    body = msgpack.packb({**EVENT, "payload": {"v": "QQ"}}).replace(b"\xa2QQ", b"\x91" * depth + b"\x01")
    with pytest.raises(ProtocolError):
        decode_one(body)


@pytest.mark.clause("IPC-01")
def test_serving_types_are_events_in_single_shot():
    """Single-shot knows fewer frame types: there a ``cancel`` is an event of that type."""
    event = {**EVENT, "type": "cancel"}
    assert decode_one(event, serving=False) == Event(**event)
    assert decode_one(event) == Cancel(run_id="r")
    lenient = {**event, "seq": 1.0}
    assert decode_one(lenient, serving=False) == Event(**event)
    with pytest.raises(ProtocolError):
        decode_one({"type": "hello", "contract_version": "1.0", "pid": 1, "capacity": 1}, serving=False)


@pytest.mark.parametrize("value", [2**64, "\ud800", object(), {1, 2}.__iter__()])
def test_what_cannot_be_encoded(value):
    """A value without a msgpack form is a ProtocolError, not a crash of the encoder."""
    with pytest.raises(ProtocolError):
        encode_frame(Event(**{**EVENT, "payload": {"v": value}}))


def test_optional_fields_are_left_out():
    """Absent options are absent on the wire, not null; what is present stays, a zero too."""
    fields = msgpack.unpackb(encode_frame(Event(**EVENT, depth=0))[4:])
    assert fields == {**EVENT, "depth": 0}
    request = msgpack.unpackb(encode_frame(RunRequest(run_id="r", attempt=1, job=None))[4:])
    assert request == {"type": "run_request", "run_id": "r", "attempt": 1, "job": None}
