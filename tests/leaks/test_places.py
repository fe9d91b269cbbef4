"""Secrets are planted in every way in which one gets in, runs of every kind use them, and all that is left is searched."""

from __future__ import annotations

import pytest

from quarry.config.job_secrets import SECRET_ENV_PREFIX
from tests.leaks.forms import find
from tests.leaks.planted import (
    LIST_FILE,
    LIST_VARIABLE,
    MAPPING,
    MARK,
    SECRETS,
    SOCKS,
    TINYPROXY,
    URL,
    VARIABLE,
)
from tests.leaks.stage import MARK_VARIABLE
from tests.services import require_service

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("leaks"),
    pytest.mark.timeout(600),  # the first of them plays everything
]

NOTE, REFERENCE, STRUCK = f"{MARK}-note", "$secret", "***"
USER = MAPPING.username
VARIABLES = ("LEAKS_PASSWORD", "LEAKS_ENDPOINTS")

PROOFS = {
    "Celery's messages": (f"{MARK}-crawl", "argsrepr"),
    "Redis, all commands": (NOTE, REFERENCE, "PUBLISH", "EVALSHA"),
    "Redis, keys and values": (NOTE, REFERENCE, f"{MARK}-file"),
    "private Redis, keys and values": (NOTE, REFERENCE),
    "command lines": (NOTE, REFERENCE, "quarry.executor", "celery"),
    "folder: append-only file": (NOTE, REFERENCE),
    "folder: commit records": (NOTE, REFERENCE, USER, STRUCK),
    "folder: records of attempts": (NOTE, REFERENCE, f'"username":"{MARK}-'),
    "folder: indexes, decoded": (NOTE, REFERENCE, STRUCK),
    "folder: summaries": (MARK, STRUCK),
    "folder: Parquet event_type=log": (MARK,),
    "folder: Parquet event_type=log, decoded": (NOTE, USER, STRUCK),
    "folder: Parquet event_type=run_error, decoded": (NOTE, USER, STRUCK),
    "folder: Parquet event_type=enqueue, decoded": (NOTE, REFERENCE),
    "folder: Parquet event_type=rotate_proxy, decoded": (MARK, STRUCK),
    "folder: Parquet event_type=item, decoded": (USER, STRUCK),
    "folder: command and engine logs": (NOTE, USER, STRUCK, "run.output"),
    "state folder of a running crawl: append-only file": (NOTE, REFERENCE),
    "state folder of a running crawl: command and engine logs": (MARK, "run.output"),
    "output of the workers": (NOTE, STRUCK, "run.output", "executor.output", '"level": "debug"'),
    "output of attach": (NOTE, STRUCK),
    "output of list failed": (STRUCK,),
    "output of list pools": (f"{MARK}-file",),
    "output of inspect run": (NOTE, REFERENCE),
    "output of inspect dead run": (NOTE, REFERENCE),
    "output of inspect proxy": (USER,),
    "output of debug resolve proxy": (USER,),
    "output of run alone-raise": (STRUCK,),
    "output of run alone-tell": (STRUCK,),
    "output of run embedded": (STRUCK,),
    "report of raise": (NOTE, USER, STRUCK),
    "report of die": (NOTE, USER, STRUCK),
    "report of tell": (NOTE, STRUCK),
    "report of rotate": (NOTE, STRUCK),
    "report of crawl": (MARK,),
    "Flower /api/tasks": (MARK,),
    "Flower's tasks, API": (MARK, "run:visit-file/file", "LookupError"),
    "Flower's tasks, page": (MARK, "run:visit-file/file", "LookupError"),
    "Prometheus, metrics serve": (f"{MARK}-crawl",),
    "Prometheus, workers": ("quarry_proxy_choices_total", USER, f"{MARK}-dead"),
}
"""What is no secret, went the way of one, and must be found where it ended."""

UNMARKED = {
    "Flower /broker": "names queues",
    "Flower /tasks": "its rows come by themselves; they are in the API",
    "Flower /api/queues/length": "names queues",
    "folder: temporary files": "of browsers",
    "output of debug resolve target": "a path",
    "output of doctor": "the broker's address",
    "output of dry run": "a path",
    "output of flower": "warnings",
    "output of metrics serve": "its address",
    "output of redis": "its own log",
}


@pytest.mark.clause("PROXY-22")
def test_the_secrets_did_their_work(seen):
    """Proxies with credentials let runs through by them: what is searched for below was in use."""
    assert seen.refused > 0
    planted = (MAPPING, URL, VARIABLE, LIST_VARIABLE, LIST_FILE, SOCKS, TINYPROXY)
    assert {each.username for each in planted} <= seen.carried.keys()


@pytest.mark.parametrize("place", PROOFS)
def test_a_mark_beside_the_secret_is_found(seen, place):
    """A place that was not read, or not reached, proves nothing by holding no secret."""
    data = seen.places[place]
    assert [text for text in PROOFS[place] if text.encode() not in data] == []


def test_every_other_place_holds_a_mark_too(seen):
    """So that what is added to the performance is seen, or is said to be without a mark."""
    places = seen.places.keys() - PROOFS.keys() - UNMARKED.keys()
    empty = {place for place in places if not seen.places[place].strip()}
    assert {place for place in places - empty if MARK.encode() not in seen.places[place]} <= {
        place
        for place in places
        if place.endswith((" bak files", " dir files", " dat files"))  # Flower's shelf
    }


@pytest.mark.clause("PROXY-22")
@pytest.mark.clause("PROXY-23")
@pytest.mark.clause("RUN-08")
@pytest.mark.parametrize("planted", SECRETS)
def test_no_secret_is_found_anywhere(seen, planted):
    """Not as it is, nor in any form that programs print, nor a part of it."""
    texts = {planted: SECRETS[planted]}
    found = {place: forms for place, data in seen.places.items() if (forms := find(data, texts))}
    assert found == {}


@pytest.mark.clause("PROXY-22")
@pytest.mark.clause("PROXY-23")
@pytest.mark.clause("FLEET-09")
def test_executors_inherit_no_secret(seen):
    """They inherit what the user exported; but a secret comes with the run that needs it, or not at all."""
    everything = b"\n".join(seen.executors)
    assert MARK_VARIABLE.encode() in everything, "environments were read"
    assert [name for name in (SECRET_ENV_PREFIX, *VARIABLES) if name.encode() in everything] == []
    assert find(everything, SECRETS) == []


@pytest.mark.clause("PROXY-22")
def test_a_browser_took_part(seen):
    """Pages through proxies, and pages that a proxy refused, are among what was searched."""
    require_service("browser")
    assert b"<Page url=" in seen.places["folder: Parquet event_type=item, decoded"]
    assert b"m4rker 407" in seen.places["folder: Parquet event_type=run_error, decoded"]
