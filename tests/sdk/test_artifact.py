"""Artifacts: bytes first, then the event."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry import EmitError, TerminalEventError
from quarry.sdk import artifact as artifact_module
from quarry.sdk.artifact import CHUNK_BYTES
from tests.sdk.support import Run


def check_chunks(run, artifact_id, expected):
    """Chunks count from 1, only the last is last, together they are the data, and the event comes after."""
    ids, seqs, lasts, parts = zip(*run.channel.chunks, strict=True)
    assert set(ids) == {artifact_id}
    assert list(seqs) == list(range(1, len(seqs) + 1))
    assert list(lasts) == [False] * (len(lasts) - 1) + [True]
    assert b"".join(parts) == expected
    assert all(0 < len(part) <= CHUNK_BYTES for part in parts) or parts == (b"",)
    assert run.channel.log == ["chunk"] * len(parts) + ["artifact"]


@pytest.mark.clause("EMIT-14")
@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
@pytest.mark.parametrize("kind", ["bytes", "bytearray", "path", "str path", "iterator"])
async def test_bytes_go_ahead_in_chunks_whatever_they_come_from(size, kind, tmp_path):
    """The same bytes give the same chunks from memory, from a file and from an iterator."""
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    file = tmp_path / "data.bin"
    file.write_bytes(data)

    async def pieces():
        for start in range(0, len(data), 100_000):
            yield data[start : start + 100_000]

    given_data = {
        "bytes": data,
        "bytearray": bytearray(data),
        "path": file,
        "str path": str(file),
        "iterator": pieces(),
    }[kind]
    run = Run()
    artifact_id = await run.emit.artifact("data.bin", given_data, "application/x-test")
    check_chunks(run, artifact_id, data)
    assert run.channel.events == [
        (
            "artifact",
            {
                "artifact_id": artifact_id,
                "name": "data.bin",
                "content_type": "application/x-test",
                "size_bytes": size,
            },
        )
    ]


@pytest.mark.clause("EMIT-14")
@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 16))
def test_any_cut_of_an_iterator_gives_the_same_artifact(pieces, chunk_bytes):
    """Empty, short and long pieces are joined and cut; only the last chunk is short."""

    async def iterate():
        for piece in pieces:
            yield piece

    async def send():
        run = Run()
        await run.emit.artifact("x", iterate())
        return run.channel.chunks

    usual, artifact_module.CHUNK_BYTES = artifact_module.CHUNK_BYTES, chunk_bytes
    try:
        chunks = asyncio.run(send())
    finally:
        artifact_module.CHUNK_BYTES = usual
    parts = [data for *_, data in chunks]
    assert b"".join(parts) == b"".join(pieces)
    assert all(len(part) == chunk_bytes for part in parts[:-1])
    assert [last for _, _, last, _ in chunks] == [False] * (len(parts) - 1) + [True]


@pytest.mark.clause("EMIT-15")
async def test_an_iterator_that_raises_leaves_no_event():
    """The author's own error arrives, and the artifact does not exist."""

    async def pieces():
        yield b"x" * CHUNK_BYTES
        yield b"y" * CHUNK_BYTES
        raise ConnectionError("lost")

    run = Run()
    with pytest.raises(ConnectionError, match="lost"):
        await run.emit.artifact("x", pieces())
    assert run.channel.events == []
    assert not any(is_last for _, _, is_last, _ in run.channel.chunks)


@pytest.mark.clause("EMIT-15")
async def test_a_file_that_cannot_be_read_is_an_emit_error(tmp_path):
    """The path is named, and that a string is taken for one."""
    run = Run()
    with pytest.raises(EmitError, match=r"can't read .*absent.* a str is a path"):
        await run.emit.artifact("x", str(tmp_path / "absent"))
    with pytest.raises(EmitError, match="can't read"):
        await run.emit.artifact("x", tmp_path)
    assert run.channel.log == []


@pytest.mark.clause("EMIT-15")
async def test_an_iterator_of_text_is_refused():
    """Pieces must be bytes."""

    async def pieces():
        yield "text"

    with pytest.raises(EmitError, match="the iterator gave str"):
        await Run().emit.artifact("x", pieces())


@pytest.mark.clause("EMIT-14")
async def test_more_than_the_limit_is_refused(monkeypatch):
    """The bound is checked before a chunk beyond it is sent."""
    monkeypatch.setattr("quarry.ipc.limits.MAX_ARTIFACT_BYTES", 2 * CHUNK_BYTES)
    run = Run()
    await run.emit.artifact("x", bytes(2 * CHUNK_BYTES))
    with pytest.raises(EmitError, match="exceed"):
        await run.emit.artifact("x", bytes(2 * CHUNK_BYTES + 1))
    assert run.channel.log == ["chunk", "chunk", "artifact", "chunk", "chunk"]


@pytest.mark.clause("EMIT-10")
async def test_a_run_that_ends_meanwhile_ends_the_artifact():
    """Chunks stop at the terminal event."""
    run = Run()

    async def pieces():
        yield b"x" * CHUNK_BYTES
        yield b"x" * CHUNK_BYTES
        await run.emit.run_complete()
        yield b"x" * CHUNK_BYTES

    with pytest.raises(TerminalEventError):
        await run.emit.artifact("x", pieces())
    assert run.channel.log == ["chunk", "run_complete"]
