"""The example of the guide (docs/ledger.md) gives the numbers that the guide says."""

from __future__ import annotations

from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "ledger.md"


async def test_the_example_of_the_guide_gives_its_numbers(crawl):
    """A root, two pages, four products, at most six jobs; one product fails."""
    await crawl.begin("page1", depth=2, max_runs=6)
    counts = await crawl.counts()
    assert (counts.received, counts.admitted, counts.leased) == (1, 1, 1)
    says = {"page1": "page2 page3 item1 item2 item3 item4", "page2": "page1 page3"}
    while name := await crawl.pop():
        claim = await crawl.claim(name)
        children = says.get(name, "")
        await crawl.admit(name, children)
        counts = await crawl.counts()
        if name == "page1":
            assert (counts.received, counts.admitted, counts.over_cap) == (7, 6, 1)
        await crawl.settle(name, len(children.split()), depth=claim.depth, succeeded=name != "item2")
    shown = await crawl.counts()
    text = GUIDE.read_text()
    assert (
        f"received {shown.received} = admitted {shown.admitted} + duplicate {shown.duplicate}"
        f" + beyond_depth {shown.beyond_depth} + over_cap {shown.over_cap}\n"
    ) in text
    assert (
        f"admitted {shown.admitted} = pending {shown.pending} + leased {shown.leased} + committing"
        f" {shown.committing} + succeeded {shown.succeeded} + failed {shown.failed}"
        f" + not_executed {shown.not_executed}\n"
    ) in text
