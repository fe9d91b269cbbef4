"""Which pool the command and its scripts have."""

from __future__ import annotations

import pytest

from quarry.config.given import Inputs
from quarry.config.load import load
from quarry.config.pool_checks import root_problems
from quarry.config.pool_strategy import with_strategy
from quarry.types.proxy import Endpoint, ProxyPool, Sticky
from tests.config.pools import PLANTED

POOLS = (
    "proxies:\n"
    "  shop: {endpoints: ['http://u:hunter2@h:1']}\n"
    "  home: {strategy: sticky, endpoints: ['http://h:1']}\n"
    "  locked: {endpoints: ['http://h:1', 'socks5://u:hunter2@h:1']}\n"
    "  open: {endpoints: ['socks5://h:1']}\n"
    "  broken: {endpoints: []}\n"
)
NO_BROKEN = POOLS.replace("  broken: {endpoints: []}\n", "")


@pytest.fixture
def loaded(tmp_path):
    """Function that loads the settings of a run with these pools; gives them and the problems."""
    (tmp_path / "one.py").write_text("async def run(ctx): ...\n")

    def load_it(more="", *, env=None, pools=NO_BROKEN, run=True, crawl=False, script="one.py", **flags):
        (tmp_path / "c.yaml").write_text(pools + more)
        found = load(
            Inputs(
                flags={f"proxy.{key}": value for key, value in flags.items()},
                config="c.yaml",
                script=script,
                environment={"HOME": str(tmp_path), **(env or {})},
                cwd=str(tmp_path),
                run=run,
                crawl=crawl,
            )
        )
        assert PLANTED not in repr(found) + repr(found.settings)
        return found

    return load_it


@pytest.mark.clause("PROXY-03")
def test_no_pool_unless_one_is_named(loaded):
    """Pools alone change nothing."""
    found = loaded()
    assert found.problems == found.warnings == []
    s = found.settings
    assert set(s.proxies) == {"shop", "home", "locked", "open"}
    assert s.config is not None
    assert s.config.endswith("/c.yaml")
    assert (s.proxy_pool, s.proxy_strategy, s.proxy_sticky_key, s.proxy_domain, s.proxy_origin) == (None,) * 5


@pytest.mark.clause("PROXY-03", "CLI-03")
@pytest.mark.parametrize(
    ("more", "env", "flags", "pool"),
    [
        ("proxy: shop\n", {}, {}, "shop"),
        ("proxy: {pool: shop}\n", {"QUARRY_PROXY_POOL": "home"}, {}, "home"),
        ("proxy: shop\n", {"QUARRY_PROXY_POOL": "home"}, {"pool": "open"}, "open"),
        ("proxy: {pool: shop, strategy: random}\n", {}, {"pool": "none"}, None),
        ("proxy: none\n", {}, {}, None),
    ],
)
def test_command_line_beats_environment_beats_file(loaded, more, env, flags, pool):
    """``none`` is no proxy."""
    found = loaded(more, env=env, **flags)
    assert found.problems == []
    assert found.settings.proxy_pool == pool


@pytest.mark.clause("PROXY-03")
def test_all_that_a_command_says_of_its_pool(loaded):
    """Host and origin in lower case."""
    found = loaded(
        pool="shop",
        strategy="sticky",
        sticky_key="customer 7",
        domain="Shop.Example.ORG",
        origin="HTTPS://Shop.Example.org:8443/",
    )
    assert found.problems == found.warnings == []
    s = found.settings
    assert (s.proxy_strategy, s.proxy_sticky_key) == ("sticky", "customer 7")
    assert (s.proxy_domain, s.proxy_origin) == ("shop.example.org", "https://shop.example.org:8443")


ORIGIN = "must be an origin such as https://shop.example.org or http://10.0.0.1:8080"
DOMAIN = "must be a host such as shop.example.org, without protocol, port or path"
CHOICE = "must be the name of a pool under 'proxies:', or none"
LONELY = "needs a pool; name one with --proxy-pool, or leave it out"
BROWSER = "Chromium can't authenticate at a SOCKS5 proxy, and socks5://u@h:1 asks for a password"


@pytest.mark.clause("PROXY-03", "CLI-04")
@pytest.mark.parametrize(
    ("flags", "problems"),
    [
        (
            {"pool": "shp"},
            ["--proxy-pool: there is no pool of that name under 'proxies:'; did you mean shop?"],
        ),
        (
            {"pool": "zzzzzz"},
            ["--proxy-pool: there is no pool of that name under 'proxies:'; known: shop, home, locked, open"],
        ),
        ({"pool": "http://u:hunter2@h:1"}, [f"--proxy-pool: {CHOICE}"]),
        ({"pool": ""}, [f"--proxy-pool: {CHOICE}"]),
        (
            {"pool": "shop", "strategy": "stick"},
            ["--proxy-strategy: must be one of round_robin, random, sticky; did you mean sticky?"],
        ),
        ({"pool": "shop", "sticky_key": ""}, ["--proxy-sticky-key: must not be empty"]),
        ({"pool": "shop", "domain": "http://hunter2/"}, [f"--proxy-domain: {DOMAIN}"]),
        ({"pool": "shop", "domain": "h:80"}, [f"--proxy-domain: {DOMAIN}"]),
        ({"pool": "shop", "origin": "https://u:hunter2@h"}, [f"--proxy-origin: {ORIGIN}"]),
        ({"pool": "shop", "origin": "h"}, [f"--proxy-origin: {ORIGIN}"]),
        ({"pool": "shop", "origin": "ftp://h"}, [f"--proxy-origin: {ORIGIN}"]),
        ({"pool": "shop", "origin": "http://h:0"}, [f"--proxy-origin: {ORIGIN}"]),
        ({"pool": "shop", "origin": "http://h/path"}, [f"--proxy-origin: {ORIGIN}"]),
        ({"strategy": "random"}, [f"--proxy-strategy: {LONELY}"]),
        (
            {"sticky_key": "k", "domain": "h", "origin": "http://h"},
            [f"--proxy-sticky-key: {LONELY}", f"--proxy-domain: {LONELY}", f"--proxy-origin: {LONELY}"],
        ),
        ({"pool": "none", "strategy": "random"}, [f"--proxy-strategy: {LONELY}"]),
    ],
)
def test_wrong_choices_are_told(loaded, flags, problems):
    """By flag; no value is repeated, it may be a URL with a password."""
    assert loaded(**flags).problems == problems
    if set(flags) - {"pool", "strategy"} == set() and flags.get("pool") not in {None, "none", ""}:
        env = {f"QUARRY_PROXY_{key.upper()}": value for key, value in flags.items()}
        told = [problem.replace("--proxy-", "QUARRY_PROXY_") for problem in problems]
        assert [p.lower() for p in loaded(env=env).problems] == [p.lower() for p in told]


@pytest.mark.clause("PROXY-03")
def test_file_that_says_it_is_named(loaded):
    """With its line."""
    assert loaded("proxy:\n  strategy: random\n").problems == [f"c.yaml:7: proxy.strategy: {LONELY}"]
    assert loaded("proxy:\n  pool: shp\n").problems == [
        "c.yaml:7: proxy.pool: there is no pool of that name under 'proxies:'; did you mean shop?"
    ]
    assert loaded("proxy: {http://u:hunter2@h:1}\n").problems[0] == (
        "c.yaml:6: proxy.(not shown): has no value; give one, or leave the key out"
    )
    assert loaded(pools="", pool="shop").problems == [
        (
            "--proxy-pool: there is no pool of that name under 'proxies:'; define it in the configuration file"
            " (--config)"
        )
    ]


@pytest.mark.clause("PROXY-03")
def test_pool_with_a_fault_is_not_told_as_missing_too(loaded):
    """Its own problem is told."""
    found = loaded("scripts: {x: {path: x.py, proxy: broken}}\n", pools=POOLS, pool="broken")
    assert found.problems == [
        "c.yaml:6:12: proxies.broken.endpoints: holds no endpoints; give one, or leave the key out"
    ]


@pytest.mark.clause("PROXY-03")
def test_scripts_have_pools_of_their_own_none_or_what_they_inherit(loaded):
    """By entry."""
    more = "scripts:\n  a: {path: a.py, proxy: shop}\n  b: {path: b.py, proxy: none}\n  c: c.py\n"
    scripts = loaded(more).settings.scripts
    assert [scripts[name].proxy for name in "abc"] == ["shop", "none", None]


@pytest.mark.clause("PROXY-03")
def test_scripts_with_wrong_pools_are_told_by_line(loaded):
    """Also where the command starts nothing."""
    more = (
        "scripts:\n"
        "  a: {path: a.py, proxy: shp}\n"
        "  b: {path: b.py, proxy: 'http://u:hunter2@h:1'}\n"
        "  c: {path: c.py, prxy: shop}\n"
    )
    expected = [
        "c.yaml:7: scripts.a.proxy: there is no pool of that name under 'proxies:'; did you mean shop?",
        f"c.yaml:8: scripts.b.proxy: {CHOICE}",
        "c.yaml:9: scripts.c.prxy: unknown key; did you mean proxy?",
    ]
    assert loaded(more).problems == loaded(more, run=False).problems == expected


@pytest.mark.clause("PROXY-03")
def test_options_of_every_run_do_with_the_pools_of_scripts(loaded):
    """A strategy is of the command's pool."""
    more = "scripts: {a: {path: a.py, proxy: shop}}\n"
    assert loaded(more, sticky_key="k", domain="h", strategy="random").problems == [
        f"--proxy-strategy: {LONELY}"
    ]


@pytest.mark.clause("PROXY-03")
def test_commands_that_start_no_run_do_not_mind_the_choice(loaded):
    """A variable may be set for other commands than this one; one that retries a crawl minds it."""
    env = {"QUARRY_PROXY_POOL": "elsewhere"}
    assert loaded(env=env, run=False).problems == []
    assert len(loaded(env=env, run=False, crawl=True).problems) == 1


def test_key_of_a_pool_that_is_not_sticky_is_a_warning(loaded):
    """The strategy of the command counts."""
    assert loaded(pool="shop", sticky_key="k").warnings == [
        "--proxy-sticky-key has no effect: pool shop is round_robin; --proxy-strategy sticky makes it sticky"
    ]
    assert loaded(pool="shop", strategy="sticky", sticky_key="k").warnings == []
    assert loaded(pool="home", sticky_key="k").warnings == []


@pytest.mark.clause("PROXY-04")
def test_browser_and_socks_with_a_password_are_refused(loaded):
    """Of a script's own pool in the file, of the command's pool for the scripts that inherit it."""
    more = "scripts:\n  a: {path: a.py, profile: browser, proxy: locked}\n"
    own = [
        f"c.yaml:7: scripts.a.proxy: a browser can't use pool locked: {BROWSER}; give the script a pool of others, or none"
    ]
    assert loaded(more).problems == loaded(more, run=False).problems == own
    more = "scripts:\n  one: {path: one.py, profile: browser}\n  b: {path: b.py, profile: browser, proxy: none}\n"
    assert loaded(more, script="one", pool="locked").problems == [
        (
            f"--proxy-pool: a browser can't use pool locked: {BROWSER}; script one needs a browser: give it a pool of"
            " others, or none (scripts.one.proxy)"
        )
    ]


INHERITED = (
    f"c.yaml:8: scripts.b: a browser can't use pool locked: {BROWSER}; what script a enqueues inherits it:"
    " name a pool of others, or none (scripts.b.proxy)"
)


@pytest.mark.clause("PROXY-04")
def test_browser_that_could_inherit_socks_with_a_password_is_refused(loaded):
    """From another script; a pool of its own, or none, mends it."""
    more = "scripts:\n  a: {path: a.py, proxy: locked}\n  b: {path: b.py, profile: browser}\n"
    assert loaded(more).problems == loaded(more, run=False).problems == [INHERITED]
    for own in ("shop", "none"):
        assert loaded(more.replace("browser}", f"browser, proxy: {own}}}")).problems == []


@pytest.mark.clause("PROXY-04")
def test_browser_that_could_inherit_from_a_retried_job_is_refused(loaded):
    """By a pool that no entry names; the command's is checked as ever."""
    settings = loaded("scripts:\n  b: {path: b.py, profile: browser}\n", pool="open").settings
    assert list(root_problems(settings, {"shop", "open"})) == []
    (problem,) = root_problems(settings, {"shop", "locked"})
    assert problem.startswith(f"jobs to retry: a browser can't use pool locked: {BROWSER}; script b needs")


@pytest.mark.clause("PROXY-03")
def test_entries_of_one_file_must_agree_in_their_pool(loaded):
    """Named by its path the script must have one; the path's spelling does not count."""
    more = "scripts:\n  a: {path: a.py, proxy: shop}\n  b: {path: ./x/../a.py, proxy: PROXY}\n"
    problem = "is the same file as script a, with another pool; give both one, or make it two files"
    assert loaded(more.replace("PROXY", "shop")).problems == []
    assert loaded(more.replace("PROXY", "none")).problems == [f"c.yaml:8: scripts.b.proxy: {problem}"]
    assert loaded(more.replace(", proxy: PROXY", "")).problems == [f"c.yaml:8: scripts.b: {problem}"]


@pytest.mark.clause("PROXY-04")
@pytest.mark.parametrize(
    "more",
    [
        "scripts: {a: {path: a.py, profile: browser, proxy: open}}\n",
        "scripts: {a: {path: a.py, profile: http, proxy: locked}}\n",
        "scripts: {a: {path: a.py, proxy: locked}}\n",
        "scripts: {a: {path: a.py, profile: browser, proxy: shop}}\n",
    ],
)
def test_other_pools_serve_a_browser_and_other_scripts_socks(loaded, more):
    """SOCKS without a password, HTTP with one; SOCKS with a password where there is no browser."""
    assert loaded(more).problems == []


@pytest.mark.clause("PROXY-03")
def test_another_strategy_makes_another_pool():
    """Sticky by job, without window; its state is apart. The same strategy is the same pool."""
    endpoints = (Endpoint(protocol="http", host="h", port=1),)
    pool = ProxyPool(name="p", strategy="random", endpoints=endpoints, recency_window=1)
    assert with_strategy(pool, None) is with_strategy(pool, "random") is pool
    sticky = with_strategy(pool, "sticky")
    assert (sticky.strategy, sticky.sticky, sticky.recency_window) == ("sticky", Sticky(), 0)
    assert sticky.digest != pool.digest
    assert with_strategy(sticky, "round_robin").sticky is None
