"""`make demo`: crawl the example shop as a user would, show the result, and check every count.

The site's server and `quarry run` are processes of their own. What the crawl left behind is compared with
what the site's own program says and with what its server counted: a mismatch ends with exit code 1. The
Makefile runs this by `tools/leftovers.py`, which adds the last check: no process is left behind.
"""

from __future__ import annotations

import contextlib
import json
import runpy
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
SHOP = ROOT / "examples" / "shop"
DATA = ROOT / "quarry-data"

QUERY = """
SELECT json_extract_string(data, '$.material') AS material, count(*) AS products,
       count(json_extract_string(data, '$.photo')) AS with_photo,
       round(avg(CAST(json_extract(data, '$.price_cents') AS INTEGER)) / 100, 2) AS average_price
FROM read_parquet('{items}', hive_partitioning = false)
WHERE root_run_id = '{crawl}'
GROUP BY material ORDER BY material
"""


class Checks:
    """Comparisons, each printed as one line."""

    def __init__(self) -> None:
        self.failed = 0

    def equal(self, what: str, found: object, expected: object) -> None:
        """Print one comparison and remember whether it held."""
        same = found == expected
        self.failed += not same
        print(
            f"  {'ok    ' if same else 'FAILED'}  {what}: {found}"
            + ("" if same else f", expected {expected}")
        )


@contextlib.contextmanager
def shop_server() -> Iterator[str]:
    """Run the shop's server; gives its address."""
    command = [sys.executable, str(SHOP / "shop_site.py"), "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        first_line = server.stdout.readline() if server.stdout else ""
        try:
            yield json.loads(first_line)["url"]
        finally:
            server.terminate()


def show(columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    """Print a table."""
    lines = [columns, *([str(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print(
            "  " + "  ".join(value.ljust(width) for value, width in zip(line, widths, strict=True)).rstrip()
        )


def crawl_shop(url: str, crawl: str) -> tuple[int, str]:
    """Run the command that the README shows; gives its exit code and the query that its summary ends with."""
    script = SHOP.relative_to(ROOT) / "list.py"
    options = f"--depth 3 --max-runs 1000 --parallel 8 --run-id {crawl} --storage-path {DATA.name}"
    print(f"$ quarry run {script} {url} {options}\n", flush=True)
    command = [str(Path(sys.executable).with_name("quarry")), "run", str(script), url, *options.split()]
    done = subprocess.run(
        [*command, "--format", "table"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    print(done.stdout)
    queries = [line.strip() for line in done.stdout.splitlines() if line.strip().startswith("SELECT ")]
    return done.returncode, "".join(queries[:1])


def query_with_duckdb(crawl: str, pasted: str) -> tuple[int, int]:
    """Look at the items by DuckDB, which knows nothing of Quarry.

    Args:
        crawl: Crawl to show.
        pasted: Query of the summary, to be run as it is.

    Returns:
        The number of items by the query that is shown, and by the pasted one.
    """
    import duckdb

    items = f"{DATA.name}/datasets/quarry/partitions/source=list/*/*/*/event_type=item/*.parquet"
    query = QUERY.format(items=items, crawl=crawl).strip()
    print(f"$ duckdb\n{query}\n")
    with contextlib.chdir(ROOT), duckdb.connect() as connection:
        result = connection.execute(query)
        columns = [column[0] for column in result.description or []]
        rows = result.fetchall()
        from_pasted = len(connection.execute(pasted).fetchall()) if pasted else 0
    show(columns, rows)
    return sum(row[1] for row in rows), from_pasted


def check_dataset(checks: Checks, crawl: str, files: dict[str, tuple[str, bytes]]) -> None:
    """Compare records, items and artifacts with what the shop serves."""
    import quarry.lode

    dataset = quarry.lode.open(DATA)
    details = {path for path in files if path.startswith("/p/")}
    images = {body for path, (_, body) in files.items() if path.startswith("/img/")}
    pages = len(files) - len(images)
    records = dataset.runs(crawl=crawl)
    checks.equal("commit records, one for each page", len(records), pages)
    checks.equal("of them successful", sum(r.outcome.status == "success" for r in records), pages)
    items = [json.loads(data) for data in dataset.scan(crawl=crawl, columns=["data"])["data"].to_pylist()]
    checks.equal("item rows", len(items), len(details))
    paths = {"/" + item["url"].split("/", 3)[3] for item in items}
    checks.equal("different product pages in them", len(paths & details), len(details))
    found = dataset.scan(event_type="artifact", crawl=crawl, columns=["run_id", "payload"]).to_pylist()
    checks.equal("artifact rows", len(found), len(images))
    stored = {dataset.artifact(row["run_id"], json.loads(row["payload"])["artifact_id"]) for row in found}
    checks.equal("photographs equal to the byte", len(stored & images), len(images))
    checks.equal("problems that verify() finds", dataset.verify(), [])

    fanout = (dataset.summary(crawl) or {})["fanout"]
    outcomes = ("admitted", "duplicate", "beyond_depth", "over_cap")
    states = ("pending", "leased", "committing", "succeeded", "failed", "not_executed")
    told = " + ".join(f"{name} {fanout[name]}" for name in outcomes)
    checks.equal(f"received = {told}", fanout["received"], sum(fanout[name] for name in outcomes))
    told = " + ".join(f"{name} {fanout[name]}" for name in states)
    checks.equal(f"admitted = {told}", fanout["admitted"], sum(fanout[name] for name in states))


def main() -> int:
    """Run the demo; 0 where every check held."""
    files: dict[str, tuple[str, bytes]] = runpy.run_path(str(SHOP / "shop_site.py"))["site"]()
    crawl = f"demo-{time.strftime('%H%M%S')}-{uuid.uuid4().hex[:6]}"
    checks = Checks()
    with shop_server() as url:
        exit_code, pasted = crawl_shop(url, crawl)
        with urlopen(f"{url}-/requests") as answer:  # noqa: S310 - our own server
            requests: dict[str, int] = json.load(answer)
    rows, pasted_rows = query_with_duckdb(crawl, pasted) if exit_code == 0 else (0, 0)

    print("\nchecks")
    checks.equal("exit code", exit_code, 0)
    checks.equal("paths that the web server was asked for", len(requests), len(files))
    checks.equal("requests that it counted", sum(requests.values()), len(files))
    products = sum(path.startswith("/p/") for path in files)
    checks.equal("rows that DuckDB counted", rows, products)
    checks.equal("rows of the query in the summary", pasted_rows, products)
    if exit_code == 0:
        check_dataset(checks, crawl, files)
    print(f"\n{'the demo failed' if checks.failed else 'all checks passed'}")
    return int(bool(checks.failed))


if __name__ == "__main__":
    sys.exit(main())
