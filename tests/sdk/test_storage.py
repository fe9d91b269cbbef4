"""storage.put and its batcher."""

from __future__ import annotations

import asyncio

import pytest

from quarry import EmitError, StoragePutError, TerminalEventError, storage_batcher
from tests.sdk.support import Run

MIB = 1024 * 1024


@pytest.mark.clause("EMIT-16")
async def test_a_put_returns_its_key():
    """Name, type and bytes arrive; the key is the storage's."""
    run = Run()
    assert await run.storage.put("a.txt", b"hello", "text/plain") == "files/a.txt"
    assert await run.storage.put("b.bin", bytearray(b"x")) == "files/b.bin"
    assert run.channel.files == [
        ("a.txt", "text/plain", b"hello"),
        ("b.bin", "application/octet-stream", b"x"),
    ]


@pytest.mark.clause("EMIT-16")
async def test_eight_mib_fit_and_one_byte_more_does_not():
    """Larger things are artifacts; the run goes on."""
    run = Run()
    await run.storage.put("fits", bytes(8 * MIB))
    with pytest.raises(StoragePutError, match=r"8388609 bytes.*emit\.artifact"):
        await run.storage.put("large", bytes(8 * MIB + 1))
    await run.storage.put("next", b"")
    assert [name for name, *_ in run.channel.files] == ["fits", "next"]


@pytest.mark.clause("EMIT-16")
async def test_a_refused_put_raises_and_the_run_goes_on():
    """The reason is in the error."""
    run = Run(refused=["bad"])
    with pytest.raises(StoragePutError, match="refused"):
        await run.storage.put("bad", b"")
    await run.emit.item("x", {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, b""), "filename must be a string"),
        (("a", "text"), "encode text first"),
        (("a", b"", None), "content_type must be a string"),
        (("\ud800", b""), "lone surrogate"),
    ],
)
async def test_wrong_arguments_are_emit_errors_with_the_line(arguments, message):
    """As with the emit verbs."""
    with pytest.raises(EmitError, match=rf"{message}.*\(.*test_storage\.py:\d+\)"):
        await Run().storage.put(*arguments)


@pytest.mark.clause("EMIT-24")
async def test_a_batcher_bounds_what_is_under_way():
    """Forty puts, never more than four at once, all keys there at the end."""
    run = Run()
    async with storage_batcher(run.storage, 4) as batch:
        for number in range(40):
            await batch.put(f"f{number}", b"x")
        assert batch.pending <= 4
    assert run.channel.most_under_way == 4
    assert batch.keys == {f"f{number}": f"files/f{number}" for number in range(40)}


@pytest.mark.clause("EMIT-24")
async def test_a_failed_put_does_not_stop_the_others():
    """The failures are raised at the end, the first by name, and only once."""
    run = Run(refused=["f1", "f3"])
    batch = storage_batcher(run.storage)
    for number in range(5):
        await batch.put(f"f{number}", b"")
    with pytest.raises(StoragePutError, match=r"2 puts failed; the first: .*'f1'"):
        await batch.flush()
    assert sorted(await batch.flush()) == ["f0", "f2", "f4"]


@pytest.mark.clause("EMIT-24")
async def test_one_failure_is_raised_as_itself():
    """Also at the end of the block; a TerminalEventError stays one."""
    run = Run(refused=["bad"])
    with pytest.raises(StoragePutError, match="'bad' was refused"):
        async with storage_batcher(run.storage) as batch:
            await batch.put("bad", b"")
    await run.emit.run_complete()
    with pytest.raises(TerminalEventError):
        async with storage_batcher(run.storage) as batch:
            await batch.put("late", b"")


@pytest.mark.clause("EMIT-24")
async def test_a_block_that_raises_waits_for_its_puts_and_keeps_its_error():
    """No put is left under way."""
    run = Run(refused=["bad"])
    run.channel.open.clear()
    asyncio.get_running_loop().call_soon(run.channel.open.set)
    with pytest.raises(KeyError):  # noqa: PT012 - the block is what is tested
        async with storage_batcher(run.storage) as batch:
            await batch.put("bad", b"")
            await batch.put("good", b"")
            raise KeyError
    assert batch.pending == 0
    assert batch.keys == {"good": "files/good"}


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, "8"])
async def test_concurrency_must_be_a_whole_number_from_one(concurrency):
    """Anything else is refused at once."""
    with pytest.raises(EmitError, match="concurrency must be"):
        storage_batcher(Run().storage, concurrency)
