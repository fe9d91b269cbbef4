"""The seed list."""

from __future__ import annotations

from tests.examples.quarry_command import EXAMPLES, assert_balanced, items_of, run_quarry

SEEDS = EXAMPLES / "seeds"


def test_each_different_line_of_the_list_is_one_run(tmp_path, shop):
    """Seven lines, five jobs: a URL or a whole job a line, from a file or from standard input."""
    lines = (SEEDS / "urls.txt").read_text().replace("http://127.0.0.1:8000/", shop.url)
    (tmp_path / "urls.txt").write_text(lines)
    bounds = ["--max-runs", "100", "--parallel", "4"]
    for source in ("urls.txt", "-"):
        storage = f"data-{source.strip('-.tx')}"
        options = ["--seeds", source, *bounds, "--storage-path", storage]
        done = run_quarry("run", SEEDS / "check.py", *options, cwd=tmp_path, stdin=lines)
        result = done.assert_success()
        fanout = result["fanout"]
        assert_balanced(fanout)
        assert (fanout["seeds"], fanout["duplicate"], fanout["succeeded"]) == (7, 2, 5)
        answers = {
            item["url"].removeprefix(shop.url): item for item in items_of(tmp_path / storage)["answer"]
        }
        assert {path: item["status"] for path, item in answers.items()} == {
            "p/1.html": 200,
            "p/2.html": 200,
            "p/3.html": 200,
            "p/4.html": 200,
            "no/such/page.html": 404,
        }
        assert answers["p/3.html"]["note"] == "a line may be a whole job"
    assert set(shop.requests().values()) == {2}
