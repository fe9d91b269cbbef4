"""The settings of a worker."""

from __future__ import annotations

import pytest

from quarry.config.load import Inputs, load_settings
from quarry.config.worker import load_worker_settings
from quarry.errors import ConfigError
from tests.config.pools import PLANTED


@pytest.mark.clause("PROXY-01", "PROXY-22", "PROXY-23")
def test_worker_has_pools_and_secrets_of_its_own_file(tmp_path):
    """The same definitions as the command's, for the same file; the command's choice of a pool is not its own."""
    (tmp_path / "list.txt").write_text("http://u:hunter2@h:2\n")
    (tmp_path / "c.yaml").write_text(
        "proxies: {p: {endpoints: ['http://h:1'], endpoints_file: list.txt}}\n"
        "secrets: {TOKEN: '${T}'}\n"
        "proxy: {pool: elsewhere}\n"
    )
    environment = {"QUARRY_CONFIG": str(tmp_path / "c.yaml"), "T": PLANTED}
    here = load_worker_settings(environment, "/")
    assert [endpoint.identity for endpoint in here.proxies["p"].endpoints] == ["http://h:1", "http://u@h:2"]
    assert here.secrets["TOKEN"].reveal() == PLANTED
    assert PLANTED not in repr(here)


@pytest.mark.clause("PROXY-22", "PROXY-23")
def test_variables_that_secrets_come_from_are_known(tmp_path):
    """Of passwords, URLs of endpoints, secrets and lists; where they don't stand for a secret they are not."""
    (tmp_path / "list.txt").write_text("http://h:2\n")
    (tmp_path / "c.yaml").write_text(
        "source: ${SOURCE}\n"
        "proxies:\n"
        "  a:\n"
        "    endpoints:\n"
        "      - http://u:${URL}@h:1\n"
        "      - {protocol: http, host: '${HOST}', port: 2, username: '${NAME}', password: '${FIRST}${SECOND:-x}'}\n"
        "      - {protocol: http, host: h, port: 3, username: u, password: '$${NOT_ONE}'}\n"
        "    endpoints_file: ${FOLDER}/list.txt\n"
        "  b: {endpoints_env: LIST}\n"
        "  c: {endpoints_env: '${WHICH}'}\n"
        "secrets: {TOKEN: '${T}'}\n"
    )
    environment = {
        **dict.fromkeys(("SOURCE", "URL", "HOST", "NAME", "FIRST", "T"), PLANTED),
        **dict.fromkeys(("LIST", "OTHER_LIST"), f"http://u:{PLANTED}@h:1"),
        "FOLDER": str(tmp_path),
        "WHICH": "OTHER_LIST",
    }
    known = {"URL", "FIRST", "SECOND", "LIST", "OTHER_LIST", "T"}
    here = load_worker_settings({**environment, "QUARRY_CONFIG": str(tmp_path / "c.yaml")}, "/")
    assert here.secret_variables == known
    loaded = load_settings(Inputs(config="c.yaml", environment=environment, cwd=str(tmp_path)))
    assert loaded.settings.secret_variables == known


def test_worker_without_a_file_has_neither():
    """Nothing is read."""
    here = load_worker_settings({}, "/")
    assert (here.proxies, here.secrets, here.secret_variables) == ({}, {}, frozenset())


@pytest.mark.clause("PROXY-01", "PROXY-04")
def test_worker_refuses_wrong_pools(tmp_path):
    """As the command does, with the same messages."""
    (tmp_path / "c.yaml").write_text(
        "proxies: {p: {endpoints: ['socks5://u:hunter2@h:1', 'u:hunter2']}}\n"
        "scripts: {a: {path: a.py, proxy: q}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_worker_settings({"QUARRY_CONFIG": "c.yaml"}, str(tmp_path))
    assert caught.value.problems == [
        "c.yaml:1:53: proxies.p.endpoints[1]: must be a URL such as http://USER:PASSWORD@HOST:PORT",
        "c.yaml:2: scripts.a.proxy: there is no pool of that name under 'proxies:'; known: p",
    ]
