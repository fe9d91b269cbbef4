"""What a developer prints while looking for something: no value of Quarry's shows a secret that it holds."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import json
import pickle
import pprint
import traceback

import msgspec
import pytest

from quarry.config.file import read_document
from quarry.config.load import Inputs, load_settings
from quarry.config.sources import gather
from quarry.config.worker import load_worker_settings
from quarry.crawl.granting import Granting
from quarry.crawl.plan import CrawlPlan, JobPayload, PlanPool
from quarry.executor.browser import BrowserHost, RunBrowser
from quarry.executor.proxy_watch import ProxyWatch
from quarry.executor.request import check_request
from quarry.http import FetchError, Http, ProxyUse
from quarry.http.curl_errors import refused
from quarry.http.transport import Exchange
from quarry.ipc import ProxyFrame
from quarry.proxy import Rotation
from quarry.recency import MemoryRecency
from quarry.runtime.redact import Redactor
from quarry.runtime.spec import make_request, wire_proxy
from quarry.types import Secret
from tests.leaks.forms import find
from tests.leaks.planted import EVERY, JOB_FILE, JOB_VARIABLE, MARK, SECRETS
from tests.leaks.pools import Proxies, make_job, write_config
from tests.proxies.servers import Microsocks, Tinyproxy
from tests.runtime.support import make_spec


class _Asking:
    port = 8080


@pytest.fixture
def planted(tmp_path):
    """The configuration of the performance, with no proxy behind it."""
    proxies = Proxies(
        _Asking(), Tinyproxy(tmp_path / "t", port=8081), Microsocks(tmp_path / "s", port=8082), 8083
    )
    path, given = write_config(tmp_path, proxies)
    environment = {"HOME": str(tmp_path), "QUARRY_CONFIG": str(path), **given}
    return path, environment


@pytest.fixture
def values(planted, tmp_path):
    """One of each that holds a secret, by name."""
    path, environment = planted
    job = json.dumps(make_job("http://h/"))
    flags = {"script": "file", "job": job, "proxy": {"pool": "m4rker-file"}}
    inputs = Inputs(flags=flags, config=None, environment=environment, cwd=str(tmp_path), run=True)
    loaded = load_settings(inputs)
    worker = load_worker_settings(environment, str(tmp_path))
    pool = worker.proxies["m4rker-file"]
    found = {"GIVEN": Secret(JOB_VARIABLE.value), **worker.secrets}
    rotation = Rotation(MemoryRecency(), throw=lambda: 7)
    granting = Granting(pools=worker.proxies, secret_of=found.get, rotation=rotation)
    plan = CrawlPlan(
        crawl=f"{MARK}-crawl",
        day="2026-01-02",
        started_at=0.0,
        storage_path="/",
        dataset="d",
        policy="strict",
        timeout_ms=1,
        scripts_root="/",
        cwd="/",
        proxies={pool.name: PlanPool(digest=pool.digest)},
    )
    payload = JobPayload(
        target="file", path="/x.py", params=json.loads(job), source="s", category="c", proxy=pool.name
    )
    grant = asyncio.run(granting.grant(plan, "key", payload))
    spec = make_spec("s.py", job=grant.params, secrets=grant.secrets, proxy=grant.proxy.endpoint, run_id=MARK)
    assert JOB_FILE.value in json.dumps(grant.params, ensure_ascii=False).replace("\\n", "\n")
    request = make_request(spec, credit_bytes=1)
    check_request(request)
    http = Http(lambda: None, proxy=grant.proxy.endpoint)
    use = ProxyUse()
    use.give(grant.proxy.endpoint)
    watch = ProxyWatch(use, lambda: None)
    exchange = Exchange(
        method="GET",
        url="http://h/",
        headers=[],
        body=None,
        timeout_s=1,
        max_redirects=1,
        max_bytes=1,
        proxy=grant.proxy.endpoint,
        impersonate=None,
        verify=True,
        cookies=[],
    )
    redactor = Redactor(found.values())
    redactor.learn_endpoint(grant.proxy.endpoint)
    return {
        "Settings": loaded.settings,
        "the result of loading": loaded,
        "what was gathered": gather({}, config=str(path), environment=environment, cwd=str(tmp_path)),
        "Inputs": dataclasses.replace(inputs, environment={}),
        "Document": read_document(str(path), environment),
        "WorkerSettings": worker,
        "secrets": worker.secrets,
        "pools": worker.proxies,
        "ProxyPool": pool,
        "Endpoint": grant.proxy.endpoint,
        "Endpoint.public": grant.proxy.endpoint.public(),
        "Grant": grant,
        "Granting": granting,
        "Rotation": rotation,
        "RunProxy": grant.proxy,
        "CrawlPlan": plan,
        "JobPayload": payload,
        "RunSpec": spec,
        "RunRequest": request,
        "ProxyFrame": ProxyFrame(run_id=MARK, proxy=wire_proxy(grant.proxy.endpoint)),
        "Http": http,
        "ProxyUse": use,
        "its report": use.report(),
        "Exchange": exchange,
        "RunBrowser": RunBrowser(
            BrowserHost(environment), endpoint=None, proxy=grant.proxy.endpoint, watch=watch
        ),
        "FetchError": refused(grant.proxy.endpoint, 407),
        "Redactor": redactor,
    }


def shown(value: object) -> str:
    """What printing, formatting, a pretty printer and a traceback make of a value; and of what lies directly in it."""
    inner = [getattr(value, "__dict__", {})] if not isinstance(value, Redactor) else []
    texts = []
    for each in [value, *inner, [value], {"value": value}]:
        texts += [repr(each), str(each), f"{each}", f"{each!r}", "%s" % (each,), pprint.pformat(each)]  # noqa: UP031
    try:
        raise RuntimeError(value)
    except RuntimeError as error:
        texts += traceback.format_exception(error)
        texts += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    return "\n".join(texts)


def values_with_marks() -> tuple[str, ...]:
    """Names of values that show a mark: they were filled."""
    return (
        "Settings",
        "ProxyPool",
        "Endpoint",
        "Endpoint.public",
        "RunSpec",
        "RunRequest",
        "ProxyFrame",
        "Exchange",
    )


@pytest.mark.clause("PROXY-22")
def test_no_value_shows_a_secret(values):
    """However it is printed; in its own ``repr``, in another's, and in a traceback with its locals."""
    deliberate = {"Grant", "RunSpec"}  # their job is under a field of its own, which their repr leaves out
    found = {}
    for name, value in values.items():
        text = repr(value) + str(value) + f"{value!r:>1}" if name in deliberate else shown(value)
        if forms := find(text.encode(), SECRETS):
            found[name] = forms
    assert found == {}


def test_the_values_are_filled(values):
    for name in values_with_marks():
        assert MARK in repr(values[name]), name
    assert find(values["Endpoint"].password.reveal().encode(), SECRETS)
    assert find(repr(wire_proxy(values["Endpoint"])).encode(), SECRETS)


@pytest.mark.clause("PROXY-22")
@pytest.mark.parametrize("planted_name", EVERY)
def test_a_secret_goes_into_no_form_that_is_kept_or_sent(planted_name):
    """pickle, copies of pickles, JSON and msgspec refuse it; printing hides it."""
    secret = Secret(EVERY[planted_name].value)
    for encode in (
        pickle.dumps,
        json.dumps,
        msgspec.json.encode,
        msgspec.msgpack.encode,
        msgspec.to_builtins,
    ):
        with pytest.raises(TypeError) as refused_by:
            encode({"password": secret})
        assert find(str(refused_by.value).encode(), SECRETS) == []
    with pytest.raises((TypeError, ValueError)):
        msgspec.to_builtins(secret)
    assert {str(secret), repr(secret), f"{secret:>30}", str([secret])[1:-1]} == {"***"}
    assert copy.deepcopy({"a": secret})["a"] is secret


@pytest.mark.clause("PROXY-22")
def test_an_error_of_the_client_shows_no_password(values):
    """Its text, its attributes and its chain."""
    error = values["FetchError"]
    assert isinstance(error, FetchError)
    assert values["Endpoint"].identity in str(error)
    told = pickle.loads(pickle.dumps(error))
    assert find(f"{error!r} {vars(error)} {told!r}".encode(), SECRETS) == []
