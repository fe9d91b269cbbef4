"""Configurations with faults around a planted password: all that the command says, and what it leaves."""

from __future__ import annotations

import json

import pytest

from quarry.cli.entry import run_command
from tests.leaks.forms import find
from tests.leaks.planted import EVERY, MAPPING, URL
from tests.leaks.storage import read_folder

PW, INFO = json.dumps(MAPPING.value), URL.user_info
TEXTS = {name: planted.texts() for name, planted in EVERY.items() if planted in (MAPPING, URL)}


def endpoint(**changed: object) -> str:
    """A pool whose one mapping holds the password in JSON, which is YAML; some fields are of another kind."""
    fields = {"protocol": "http", "host": "h", "port": 1, "username": "m4rker", "password": MAPPING.value}
    return json.dumps({"proxies": {"m4rker": {"endpoints": [{**fields, **changed}]}}}, ensure_ascii=False)


BAD = {
    "no YAML": f"proxies:\n  m4rker: {{endpoints: [{{password: {PW}}}\n",
    "a tag": f"proxies:\n  m4rker: {{endpoints: [!{MAPPING.core} x]}}\n",
    "an alias": f"secrets:\n  m4rker: *{MAPPING.core}\n",
    "a password without its quotes": f"proxies:\n  m4rker:\n    endpoints:\n      - password: @{MAPPING.value}\n",
    "a control character": f"secrets:\n  m4rker: {MAPPING.core}\x01\n",
    "a list for a password": endpoint(password=[MAPPING.value]),
    "a mapping for a password": endpoint(password={"value": MAPPING.value}),
    "a password for a port": endpoint(port=MAPPING.value),
    "a password for a host": endpoint(host=MAPPING.value),
    "a password for a protocol": endpoint(protocol=MAPPING.value),
    "a password for a key": endpoint(**{MAPPING.value: "x"}),
    "a password without a username": endpoint(username=None),
    "a colon in the username": endpoint(username=MAPPING.value),
    "too long a password": endpoint(password=MAPPING.value * 200),
    "twice": f"proxies:\n  m4rker:\n    endpoints: ['http://{INFO}@h:1', 'http://{INFO}@h:1']\n",
    "a URL with no port": f"proxies:\n  m4rker:\n    endpoints: ['http://{INFO}@h']\n",
    "a URL with a raw slash": f"proxies:\n  m4rker:\n    endpoints: ['http://u:{MAPPING.value}@h:1']\n",
    "a URL for a pool": f"proxies:\n  m4rker: http://{INFO}@h:1\n",
    "a URL for all pools": f"proxies: http://{INFO}@h:1\n",
    "a URL for the pool's name": f"proxies:\n  'http://{INFO}@h:1': {{}}\n",
    "a URL for the file of endpoints": f"proxies:\n  m4rker: {{endpoints_file: 'http://{INFO}@h:1'}}\n",
    "a URL for the variable": f"proxies:\n  m4rker: {{endpoints_env: 'http://{INFO}@h:1'}}\n",
    "a URL for the strategy": f"proxies:\n  m4rker: {{strategy: 'http://{INFO}@h:1'}}\n",
    "a URL for the command's pool": f"proxy: 'http://{INFO}@h:1'\n",
    "a URL for a script's pool": f"scripts: {{m4rker: {{path: s.py, proxy: 'http://{INFO}@h:1'}}}}\n",
    "a secret for a name": f"secrets: {{{PW}: x}}\n",
    "a list of secrets": f"secrets: [{PW}]\n",
    "a secret that is a list": f"secrets: {{M4RKER: [{PW}]}}\n",
    "a text for all secrets": f"secrets: {PW}\n",
}


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working directory with a script; the state folder is beside it."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "s.py").write_text("async def run(ctx): ...\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return folder


@pytest.mark.clause("PROXY-01")
@pytest.mark.clause("PROXY-22")
@pytest.mark.parametrize("case", BAD)
def test_a_fault_beside_a_password_is_told_without_it(work, capfd, case):
    """Exit 64, a message with its place, no traceback, and no secret in anything that was written."""
    config = work.parent / "quarry.yaml"
    config.write_text(BAD[case])
    flags = ["--verbose", "--config", str(config), "--format", "json"]
    code = run_command(["run", "--script", "s.py", "--job", '{"m4rker": 1}', *flags])
    out, err = capfd.readouterr()
    assert (code, "Traceback" in err) == (64, False), err
    assert str(config) in err
    state = work.parent / "state"
    left = [*read_folder(work).values(), *(read_folder(state).values() if state.exists() else [])]
    assert find(b"\n".join([out.encode(), err.encode(), *left]), TEXTS) == []


@pytest.mark.clause("CLI-07")
@pytest.mark.parametrize("flag", ["--proxy-pool", "--proxy-strategy", "--proxy-domain", "--proxy-origin"])
def test_a_url_in_a_flags_place_is_not_repeated(work, capfd, flag):
    """Who takes a flag for the proxy's URL has told the shell, and it goes no further."""
    code = run_command(["run", "--script", "s.py", "--job", "{}", flag, f"http://{INFO}@h:1/x y"])
    out, err = capfd.readouterr()
    assert (code, flag in err) == (64, True), err
    assert find((out + err).encode(), TEXTS) == []


@pytest.mark.clause("PROXY-22")
def test_an_internal_error_keeps_a_traceback_without_it(work, capfd, monkeypatch):
    """The last resort: what is kept of a fault of Quarry's own while passwords are at hand."""
    config = work.parent / "quarry.yaml"
    config.write_text(endpoint())

    def broken(pool: object, *_: object) -> None:
        raise RuntimeError(f"m4rker: broken at {pool!r}")

    monkeypatch.setattr("quarry.wiring.with_strategy", broken)
    flags = ["--config", str(config), "--proxy-pool", "m4rker", "--verbose"]
    code = run_command(["run", "--script", "s.py", "--job", "{}", *flags])
    out, err = capfd.readouterr()
    assert (code, "internal error RuntimeError" in err) == (70, True), err
    left = b"\n".join([out.encode(), err.encode(), *read_folder(work.parent / "state").values()])
    assert b"m4rker: broken at ProxyPool(" in left
    assert b"password=***" in left
    assert find(left, TEXTS) == []
