"""The enqueue batcher."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry import EmitError, TerminalEventError, batcher
from tests.sdk.support import Run


def items_of(run):
    """The items of each enqueue."""
    return [payload["params"]["items"] for _, payload in run.channel.events]


@pytest.mark.clause("EMIT-23")
async def test_full_batches_leave_at_once_and_the_rest_at_the_end():
    """Order is kept over batches; source and category travel along."""
    run = Run()
    async with batcher(run.emit, "x.py", 3, source="s", category="c") as batch:
        for number in range(7):
            await batch.add({"n": number})
        assert len(run.channel.events) == 2
        assert batch.pending == 1
    assert items_of(run) == [
        [{"n": 0}, {"n": 1}, {"n": 2}],
        [{"n": 3}, {"n": 4}, {"n": 5}],
        [{"n": 6}],
    ]
    assert run.channel.events[0] == (
        "enqueue",
        {
            "target": "x.py",
            "params": {"items": [{"n": 0}, {"n": 1}, {"n": 2}]},
            "source": "s",
            "category": "c",
        },
    )


@given(st.integers(0, 30), st.integers(1, 8))
@pytest.mark.clause("EMIT-23")
async def test_every_item_is_enqueued_once_in_order(count, size):
    """For any number and size, batches are full but the last."""
    run = Run()
    async with batcher(run.emit, "x.py", size) as batch:
        for number in range(count):
            await batch.add(number)
    assert [item for items in items_of(run) for item in items] == list(range(count))
    assert all(len(items) == size for items in items_of(run)[:-1])


@pytest.mark.clause("EMIT-23")
async def test_nothing_is_emitted_for_nothing_or_after_an_error():
    """An empty flush is silent; a block that raises drops what it collected."""
    run = Run()
    await batcher(run.emit, "x.py", 2).flush()
    with pytest.raises(KeyError):  # noqa: PT012 - the block is what is tested
        async with batcher(run.emit, "x.py", 2) as batch:
            await batch.add(1)
            raise KeyError
    assert run.channel.events == []


@pytest.mark.clause("EMIT-08")
async def test_an_item_is_taken_as_it_is_when_added():
    """Changing it afterwards changes nothing."""
    run = Run()
    item = {"tags": ["a"]}
    async with batcher(run.emit, "x.py", 5) as batch:
        await batch.add(item)
        item["tags"].append("b")
    assert items_of(run) == [[{"tags": ["a"]}]]


@pytest.mark.clause("EMIT-06")
async def test_a_bad_item_is_refused_when_it_is_added():
    """By the line that added it, not by the flush."""
    batch = batcher(Run().emit, "x.py", 5)
    with pytest.raises(EmitError, match=r"item\.a is NaN.*test_batch\.py:"):
        await batch.add({"a": math.nan})
    assert batch.pending == 0


@pytest.mark.clause("EMIT-10")
async def test_a_flush_after_the_end_is_refused():
    """A batch can't be emitted after the terminal event."""
    run = Run()
    batch = batcher(run.emit, "x.py", 2)
    await batch.add(1)
    await run.emit.run_complete()
    with pytest.raises(TerminalEventError):
        await batch.flush()


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "3"])
def test_size_must_be_a_whole_number_from_one(size):
    """Anything else is refused at once."""
    with pytest.raises(EmitError, match="size must be"):
        batcher(None, "x.py", size)
