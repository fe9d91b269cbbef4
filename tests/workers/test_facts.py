"""One look at real servers of every kind: what is told of each."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from quarry.errors import ConfigError
from quarry.redisio import Reach, read_broker_facts
from tests.workers.kit import free_port, openssl, redis_server


@pytest.mark.clause("FLEET-10")
async def test_a_good_server(broker):
    """Version, mode, settings and clock."""
    facts = await read_broker_facts(broker.url)
    assert (facts.reach, facts.settings_known, facts.aof, facts.maxmemory_policy) == (
        Reach.OK, True, True, "noeviction",
    )  # fmt: skip
    assert facts.version == broker.client.info()["redis_version"]
    assert not facts.cluster
    assert not facts.replica
    assert abs(facts.ahead_s) < 1


@pytest.mark.clause("FLEET-05")
async def test_a_clock_that_differs(broker):
    """This machine's clock is 20 s behind: Redis's is ahead by that."""
    facts = await read_broker_facts(broker.url, clock=lambda: time.time() - 20)
    assert facts.ahead_s == pytest.approx(20, abs=1)


async def test_settings_that_promise_less(broker):
    """Eviction and a missing append-only file are seen as they are set."""
    broker.client.config_set("maxmemory-policy", "volatile-lru")
    broker.client.config_set("appendonly", "no")
    facts = await read_broker_facts(broker.url)
    assert (facts.maxmemory_policy, facts.aof) == ("volatile-lru", False)


async def test_a_user_that_may_not_ask(broker):
    """INFO and TIME denied: the rest is unknown, and that is no error."""
    broker.client.execute_command("ACL", "SETUSER", "poor", "on", ">pw", "~*", "+ping", "+hello", "+client")
    facts = await read_broker_facts(broker.url.replace("://", "://poor:pw@"))
    assert (facts.reach, facts.settings_known, facts.ahead_s) == (Reach.OK, False, None)


@pytest.mark.parametrize("user_info", ["", ":wr0ng@", "someone:wr0ng@"])
async def test_passwords(tmp_path, user_info):
    """None, a wrong one, an unknown user: `login`, and the detail does not repeat what was tried."""
    with redis_server(tmp_path, "--requirepass", "right") as port:
        facts = await read_broker_facts(f"redis://{user_info}127.0.0.1:{port}/0")
        assert facts.reach is Reach.LOGIN
        assert "wr0ng" not in facts.detail
        assert (await read_broker_facts(f"redis://:right@127.0.0.1:{port}/0")).reach is Reach.OK


async def test_tls(tmp_path):
    """A certificate that is not trusted, and plain TCP to a TLS port: `tls`; with its certificate named it works."""
    certificate, key = openssl(tmp_path)
    settings = ("--port", "0", "--tls-port", str(free_port()), "--tls-cert-file", certificate,
                "--tls-key-file", key, "--tls-auth-clients", "no")  # fmt: skip
    with redis_server(tmp_path, *settings) as port:
        assert (await read_broker_facts(f"rediss://localhost:{port}/0")).reach is Reach.TLS
        assert (await read_broker_facts(f"redis://localhost:{port}/0")).reach is Reach.TLS
        trusted = f"rediss://localhost:{port}/0?ssl_ca_certs={certificate}"
        assert (await read_broker_facts(trusted)).reach is Reach.OK


@pytest.mark.slow
async def test_tls_to_a_plain_port(broker):
    """Redis stays silent to a TLS greeting; it is told apart from a server that is away."""
    facts = await read_broker_facts(broker.url.replace("redis://", "rediss://"))
    assert (facts.reach, facts.detail) == (Reach.TLS, "it speaks plain TCP there")


async def test_cluster_mode(tmp_path):
    """It is seen, before any step fails on it."""
    with redis_server(tmp_path, "--cluster-enabled", "yes") as port:
        assert (await read_broker_facts(f"redis://127.0.0.1:{port}/0")).cluster


async def test_nobody_there():
    """A closed port and a missing socket are `away`, which is waited for."""
    assert (await read_broker_facts(f"redis://127.0.0.1:{free_port()}/0")).reach is Reach.AWAY
    assert (await read_broker_facts("unix:///no/such.sock")).reach is Reach.AWAY


async def test_something_else_answers():
    """A web server on that port: `foreign`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            try:
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            except OSError:
                return

        thread = threading.Thread(target=answer)
        thread.start()
        facts = await read_broker_facts(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert facts.reach is Reach.FOREIGN


@pytest.mark.parametrize("url", ["redis://:hunter2@h:port/0", "redis:///0", "ftp://u:hunter2@h/0"])
async def test_an_address_that_is_none(url):
    """It is refused by name, without its password."""
    with pytest.raises(ConfigError) as caught:
        await read_broker_facts(url)
    assert "hunter2" not in str(caught.value)
