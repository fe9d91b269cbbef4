"""What people see in Flower of crawls, runs and workers."""

from __future__ import annotations

import ast
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

from quarry.executor.chromium import find_browser
from tests.flower.conftest import USER, Flower
from tests.flower.fleet import ROOT, SECRET, Fleet, wait_for
from tests.services import require_service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flower")]


@pytest.fixture(scope="module")
def shop(fleet, flower):
    """A crawl that has ended, two attempts a job, and everything that Flower was told of it."""
    site = fleet.site.url.replace("http://", "http://carol:visitor-secret@")
    fleet.seed("shop", {"url": f"{site}?token=query-secret"}, max_attempts=2)
    counts = fleet.wait_closed("shop")
    assert (counts.admitted, counts.succeeded, counts.failed) == (9, 8, 1)
    ended = {"SUCCESS", "FAILURE", "RETRY"}
    wait_for(
        lambda: sum(task["state"] in ended for task in flower.tasks().values()) >= 11, "11 tasks in Flower"
    )
    return flower


@pytest.fixture
def held(fleet, flower, tmp_path):
    """A crawl whose root runs until the test is over."""
    until = tmp_path / "go on"
    crawl = f"held-{tmp_path.name}"
    fleet.seed(crawl, {"url": fleet.site.url, "until": str(until)}, depth=0)
    yield crawl
    until.touch()
    fleet.wait_closed(crawl)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    require_service("browser")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=find_browser(os.environ), args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def page(browser) -> Iterator[Page]:
    context = browser.new_context(
        http_credentials={"username": USER[0], "password": USER[1]},
        viewport={"width": 1980, "height": 860},
    )
    yield context.new_page()
    context.close()


def keep_picture(page: Page, name: str, *, width: int = 1980, height: int = 860) -> None:
    """Write a picture of the docs, where somebody asked for new ones."""
    if os.environ.get("DOCS_SCREENSHOTS"):
        page.set_viewport_size({"width": width, "height": height})
        page.screenshot(path=ROOT / "docs" / name)


def outcome_of(task: dict[str, Any]) -> dict[str, Any]:
    return dict(ast.literal_eval(task["result"] or task["exception"]))


def tasks_of(flower: Any, path: str) -> list[dict[str, Any]]:
    return [task for task in flower.tasks().values() if path in task["args"]]


@pytest.mark.clause("METRICS-01")
def test_a_finished_crawl_is_listed_by_script_url_and_depth(fleet, shop):
    """The names are the scripts', the arguments what the run is about, the result how it ended."""
    (root,) = [
        task for task in tasks_of(shop, "depth=0") if task["state"] == "SUCCESS" and "…" in task["args"]
    ]
    assert root["name"] == "run:shop/list"
    assert root["args"] == f"('{fleet.site.url}?…', depth=0)"
    assert outcome_of(root) | {"run_id": ""} == {
        "outcome": "success",
        "how": "committed",
        "attempt": 1,
        "delivery": 1,
        "events": 9,
        "enqueued": 8,
        "run_id": "",
    }
    assert root["runtime"] > 0
    leaves = {task["args"]: task for n in range(1, 7) for task in tasks_of(shop, f"products/{n}.html")}
    assert sorted(leaves) == [f"('{fleet.site.url}products/{n}.html', depth=1)" for n in range(1, 7)]
    assert {(task["name"], task["state"]) for task in leaves.values()} == {("run:shop/detail", "SUCCESS")}


@pytest.mark.clause("METRICS-02")
def test_a_failed_run_is_a_failed_task(shop):
    """State FAILURE, with outcome and error type where a good one has its outcome, and a runtime."""
    (failed,) = [task for task in tasks_of(shop, "broken") if task["state"] == "FAILURE"]
    assert failed["retries"] == 1
    assert failed["runtime"] > 0
    shown = outcome_of(failed)
    assert (shown["outcome"], shown["error_type"], shown["attempt"]) == ("script_error", "LookupError", 2)


@pytest.mark.clause("METRICS-03")
def test_an_attempt_that_another_one_follows_is_a_retried_task(shop):
    """Each attempt is a task of its own: RETRY for the first, then the one that counts."""
    attempts = sorted(tasks_of(shop, "flaky"), key=lambda task: task["retries"])
    assert [(task["state"], task["retries"]) for task in attempts] == [("RETRY", 0), ("SUCCESS", 1)]
    assert outcome_of(attempts[0])["how"] == "retry_ok"


@pytest.mark.clause("METRICS-04")
def test_a_running_run_is_started(flower, held, page):
    """In the API and on the page."""
    wait_for(
        lambda: [task for task in tasks_of(flower, "depth=0") if task["state"] == "STARTED"], "a started task"
    )
    page.goto(f"{flower.url}/tasks?state=STARTED")
    page.get_by_text("STARTED").first.wait_for()
    assert page.locator("#tasks-table tbody tr").first.inner_text().count("run:shop/list") == 1


@pytest.mark.clause("METRICS-05")
def test_a_killed_worker_is_shown_offline(fleet, flower, page):
    """`kill -9` says nothing to anybody; its missing heartbeats do."""
    worker = fleet.worker("http-2")
    wait_for(lambda: flower.workers().get("http-2@shop"), "the worker online")
    worker.kill()
    worker.wait()
    wait_for(lambda: flower.workers().get("http-2@shop") is False, "the worker offline")
    assert flower.workers()["http-1@shop"] is True
    page.goto(f"{flower.url}/workers")
    row = page.locator("tr", has_text="http-2@shop")
    row.get_by_text("Offline").wait_for()
    assert page.locator("tr", has_text="http-1@shop").get_by_text("Online").count() == 1
    keep_picture(page, "flower-workers.png", width=1500, height=560)


@pytest.mark.clause("METRICS-05")
def test_the_run_of_a_killed_worker_goes_on_as_another_task(tmp_path):
    """The first task stays STARTED, for nobody can say otherwise; the ledger delivers the run again."""
    until = tmp_path / "go on"
    with Fleet(tmp_path) as fleet:
        flower = Flower(fleet)
        worker = fleet.worker("first")
        wait_for(lambda: flower.workers().get("first@shop"), "the worker in Flower")
        fleet.seed("held", {"url": fleet.site.url, "until": str(until)}, depth=0, lease_ms=3_000)
        # Only a claimed delivery tells the ledger of its enqueue events.
        wait_for(lambda: fleet.status("held")[1].beyond_depth == 8, "the claimed run")
        wait_for(lambda: [t["state"] for t in flower.tasks().values()] == ["STARTED"], "the started task")
        worker.kill()
        worker.wait()
        fleet.worker("second")
        wait_for(lambda: fleet.status("held")[1].redeliveries == 1, "the second delivery")
        until.touch()
        assert fleet.wait_closed("held").succeeded == 1

        def shown() -> dict[str, dict[str, Any]]:
            return {task["state"]: task for task in flower.tasks().values()}

        wait_for(lambda: shown().keys() == {"STARTED", "SUCCESS"}, "both tasks in Flower")
        assert shown()["STARTED"]["worker"] == "first@shop"
        assert shown()["SUCCESS"]["worker"] == "second@shop"
        assert outcome_of(shown()["SUCCESS"])["delivery"] == 2


@pytest.mark.clause("METRICS-06")
def test_no_secret_is_shown(fleet, shop):
    """The broker's password, Flower's own, user info and queries of URLs: on no page, in no log, in no argv."""
    worker = "http-1@shop"
    wait_for(lambda: "broker_url" in shop.text(f"/worker/{worker}"), "the worker's settings in Flower")
    paths = [
        "/",
        "/workers",
        "/broker",
        "/tasks",
        f"/worker/{worker}",
        "/api/workers",
        "/api/tasks",
        "/metrics",
    ]
    paths += [f"/task/{task}" for task in shop.tasks()]
    said = {path: shop.text(path) for path in paths}
    said["log"] = fleet.log("flower")
    for process in fleet.processes:
        with contextlib.suppress(OSError):
            if "redis-server" not in (argv := Path(f"/proc/{process.pid}/cmdline").read_text()):
                said[str(process.args)] = argv
    for secret in (SECRET, USER[1], "visitor-secret", "query-secret"):
        assert [place for place, text in said.items() if secret in text] == []
    assert SECRET not in fleet.log("http-1")


@pytest.mark.clause("METRICS-07")
def test_flower_asks_for_the_password_and_changes_nothing(shop):
    """Basic authentication from FLOWER_BASIC_AUTH; reading only, whoever asks."""
    assert shop.status("/tasks", user=None) == 401
    assert shop.status("/tasks", user=("ada", "wrong")) == 401
    assert shop.status("/tasks") == 200
    assert shop.status("/api/worker/shutdown/http-1@shop", method="POST") in {403, 404, 405}
    assert shop.workers()["http-1@shop"] is True


@pytest.mark.clause("METRICS-01")
def test_the_page_of_tasks_is_readable(shop, held, page):
    """What a person sees in a real browser; DOCS_SCREENSHOTS=1 writes the picture of docs/monitoring.md."""
    wait_for(lambda: any(task["state"] == "STARTED" for task in shop.tasks().values()), "a started task")
    page.goto(f"{shop.url}/tasks")
    page.get_by_text("FAILURE").first.wait_for()
    text = page.locator("#tasks-table").inner_text()
    for expected in (
        "run:shop/list",
        "run:shop/detail",
        "depth 1",
        "script_error, LookupError",
        "SUCCESS",
        "RETRY",
    ):
        assert expected in text
    assert "products/3.html" in text
    keep_picture(page, "flower-tasks.png")
