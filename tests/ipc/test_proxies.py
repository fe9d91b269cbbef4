"""Proxies on the wire: what frames hide, and which figures of an executor are taken."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.ipc import FrameDecoder, ProxyFrame, RunRequest, RunResultFrame, encode_frame

PROXY = {"protocol": "http", "host": "h", "port": 80, "username": "u", "password": "hush-hush"}


def read(fields):
    """Decode a run_result as an executor of any kind may have sent it."""
    body = msgpack.packb({"type": "run_result", "outcome": {"status": "completed"}, **fields})
    [(frame, _)] = FrameDecoder().feed(len(body).to_bytes(4, "big") + body)
    assert isinstance(frame, RunResultFrame)
    return frame


@pytest.mark.clause("PROXY-22")
def test_frames_show_neither_job_nor_password():
    """Whatever prints a frame: its repr, a format, a frame in a list."""
    request = RunRequest(run_id="r", attempt=1, job={"token": "hush-hush"}, proxy=PROXY, script="s.py")
    for frame in (
        request,
        ProxyFrame(run_id="r", proxy=PROXY),
        RunRequest(run_id="r", attempt=1, job="hush-hush"),
    ):
        for text in (repr(frame), str(frame), f"{frame}", repr([frame]), str(list(frame.__rich_repr__()))):
            assert "hush" not in text
    assert "'username': 'u'" in repr(request)
    assert "script='s.py'" in repr(request)
    assert repr(ProxyFrame(run_id="r")) == "ProxyFrame(run_id='r', proxy=None)"
    [(again, _)] = FrameDecoder(inbound=True).feed(encode_frame(request))
    assert (again.proxy, again.job) == (PROXY, {"token": "hush-hush"})


ENTRY = {
    "protocol": "http",
    "host": "h",
    "port": 80,
    "username": "u",
    "ok": 1,
    "failed": 2,
    "unheard": 4,
    "latency_ms": 3,
}


@pytest.mark.clause("IPC-15")
def test_what_is_taken_of_proxy_use():
    """What makes sense, as the executor's language writes numbers and text; the rest goes, and so does a password."""
    plain = {name: ENTRY[name] for name in ("protocol", "host", "port")}
    frame = read(
        {"proxy_use": [ENTRY, {**ENTRY, "port": 80.0, "host": b"h", "password": "x", "more": 1}, plain]}
    )
    assert frame.proxy_use == [ENTRY, ENTRY, {**plain, "ok": 0, "failed": 0, "unheard": 0, "latency_ms": 0}]
    assert read({}).proxy_use is None
    assert read({"proxy_use": None}).proxy_use is None
    assert read({"proxy_use": []}).proxy_use == []


NONSENSE = [
    {"ok": 1},
    {**ENTRY, "protocol": "ftp"},
    {**ENTRY, "host": ""},
    {**ENTRY, "host": 1},
    {**ENTRY, "port": 0},
    {**ENTRY, "port": 70_000},
    {**ENTRY, "port": True},
    {**ENTRY, "port": "80"},
    {**ENTRY, "username": 7},
    {**ENTRY, "ok": -1},
    {**ENTRY, "ok": 1.5},
    {**ENTRY, "failed": None},
    {**ENTRY, "unheard": "2"},
    {**ENTRY, "latency_ms": float("nan")},
    {**ENTRY, "latency_ms": 2**63},
    "text",
    None,
    [ENTRY],
    {1: 2},
]


@pytest.mark.clause("IPC-15")
@pytest.mark.parametrize("entry", NONSENSE, ids=repr)
def test_nonsense_is_dropped_and_no_fault(entry):
    """Alone, and among what makes sense."""
    assert read({"proxy_use": [entry]}).proxy_use == []
    assert read({"proxy_use": [ENTRY, entry, ENTRY]}).proxy_use == [ENTRY, ENTRY]
    assert read({"proxy_use": entry}).proxy_use in (None, [ENTRY])


@pytest.mark.clause("IPC-15")
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*ENTRY, "x"]), inner),
        max_leaves=20,
    )
)
def test_no_proxy_use_is_a_fault(value):
    """Whatever it is, the run's result is read."""
    assert read({"proxy_use": value}).outcome == {"status": "completed"}
