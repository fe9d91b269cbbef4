"""What a mistake with the broker or a crawl's name produces: one clear message, no secret, nothing begun."""

from __future__ import annotations

import pytest

from tests.fleet.fleet import SCRIPT, Fleet, running_fleet
from tests.workers.kit import free_port

SECRET = "geheim-4711"


@pytest.mark.clause("RUN-38", "CLI-31")
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://:{secret}@127.0.0.1:{free}/0", "cannot be reached"),
        ("redis://:wrong-{secret}@127.0.0.1:{port}/0", "refuses the user or password"),
        ("redis://127.0.0.1:{port}/0", "refuses the user or password"),
        ("rediss://:{secret}@127.0.0.1:{port}/0", "no TLS connection"),
        ("http://user:{secret}@127.0.0.1:{port}", "not a Redis address"),
        ("redis://:{secret}@:{port}", "no host"),
        ("redis://:{secret}@127.0.0.1:nowhere", "malformed"),
        ("redis://:a#{secret}@127.0.0.1:{port}/0", "percent-encoded"),
        ("redis://user:12/{secret}@127.0.0.1:{port}/0", "percent-encoded"),
        ("redis:/{secret}@127.0.0.1", "no host"),
        ("unix://:{secret}@/no/such/socket", "cannot be reached"),
    ],
)
def test_a_broker_that_cannot_be_used_is_refused_without_its_password(tmp_path, url, said):
    """By flag and by variable, for commands that begin, look and change; exit code 64, nothing written."""
    fleet = Fleet(tmp_path, password=SECRET)
    try:
        fleet.start_redis()
        broker = url.format(secret=SECRET, port=fleet.port, free=free_port())
        for arguments, env in (
            (("run", "--script", SCRIPT, "--run-id", "b1", "--broker", broker), {}),
            (("list", "crawls"), {"QUARRY_BROKER": broker}),
            (("stop", "b1"), {"QUARRY_BROKER": broker}),
        ):
            done = fleet.quarry(*arguments, env=env)
            assert done.code == 64, (arguments, done)
            assert said in done.stderr, (arguments, done.stderr)
            assert SECRET not in done.stderr + done.stdout
            assert "Traceback" not in done.stderr
        assert list(fleet.storage.iterdir()) == []
        logs = "".join(path.read_text() for path in (tmp_path / "state").rglob("*.ndjson"))
        assert SECRET not in logs
    finally:
        fleet.end()


@pytest.mark.clause("RUN-38")
def test_a_password_is_in_no_process_argument_and_no_output(tmp_path):
    """Of workers, executors and commands, over a whole crawl."""
    with running_fleet(tmp_path, workers=1, password=SECRET) as fleet:
        done = fleet.run({"fan": 5}, "--depth", "1", "--run-id", "p1")
        assert done.code == 0, done.stderr
        everything = done.stdout + done.stderr + fleet.log("w0")
        everything += "".join(path.read_text() for path in (tmp_path / "state").rglob("*.ndjson"))
        everything += "".join(
            path.read_text(errors="replace") for path in fleet.storage.rglob("*") if path.is_file()
        )
        assert SECRET not in everything


@pytest.mark.clause("RUN-38")
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"), "evicts keys"),
        (("--cluster-enabled", "yes"), "cluster mode"),
    ],
)
def test_a_redis_that_would_lose_work_is_refused(tmp_path, settings, said):
    """Before anything is begun, with the mend."""
    fleet = Fleet(tmp_path)
    try:
        fleet.start_redis(*settings)
        done = fleet.run({}, "--run-id", "e1")
        assert done.code == 64
        assert said in done.stderr
        assert list(fleet.storage.iterdir()) == []
    finally:
        fleet.end()


@pytest.mark.clause("RUN-39", "CLI-27", "CLI-31")
def test_crawls_that_are_not_there_and_keys_that_are_no_crawls(tmp_path):
    """Exit code 1, and what is wrong; a foreign key stays as it is."""
    with running_fleet(tmp_path, workers=0) as fleet:
        client = fleet.client
        client.set("q:{text}:meta", "x")
        client.hset("q:{hash}:meta", "a", "b")
        client.hset("q:{number}:meta", "schema", "many")
        before = {key: client.dump(key) for key in client.scan_iter("*")}
        for arguments in (("run", "--attach"), ("stop",), ("stop", "--now"), ("forget",)):
            for crawl, said in (
                ("nope", "there is no crawl nope"),
                ("hash", "there is no crawl hash"),
                ("text", "none of Quarry's"),
                ("number", "none of Quarry's"),
            ):
                done = fleet.quarry(*arguments, crawl)
                assert (done.code, said in done.stderr) == (1, True), (arguments, crawl, done)
        for name in ("../x", "a b", "-x", "x" * 300):
            assert fleet.quarry("stop", "--", name).code == 64
        assert {key: client.dump(key) for key in client.scan_iter("*")} == before


@pytest.mark.clause("CLI-30")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--attach", "a", "--resume", "b"), "give one"),
        (("--attach", "a", "node.py"), "leave out SCRIPT 'node.py'"),
        (("--attach", "a", "--depth", "2", "--job", "{}"), "leave out --job, --depth"),
        (("--attach", "a", "--detach"), "leave it out"),
        (("--detach", "--report", "r.json", SCRIPT), "leave --report out"),
        (("--max-duration", "0s", SCRIPT), "--max-duration"),
        (("--max-duration", "400000h", SCRIPT), "from 1ms to 8760h"),
        (("--resume", "a", "--broker", "redis://127.0.0.1:1"), "with --broker it is --attach"),
        (("--resume", "nothing"), "nothing of it to go on with"),
    ],
)
def test_flags_that_contradict_each_other_are_named(tmp_path, arguments, said):
    """Exit code 64, before the broker is even asked."""
    fleet = Fleet(tmp_path)
    env = {"QUARRY_BROKER": f"redis://127.0.0.1:{free_port()}/0"}
    if "--resume" in arguments:
        env = {"QUARRY_BROKER": ""}
    done = fleet.quarry("run", *arguments, env=env)
    assert done.code == 64, done
    assert said in done.stderr, done.stderr


@pytest.mark.clause("CLI-30")
def test_detach_and_attach_need_a_broker(tmp_path):
    """They say which variable and flag name one."""
    fleet = Fleet(tmp_path)
    for arguments in (("--detach", SCRIPT), ("--attach", "a")):
        done = fleet.quarry("run", *arguments, env={"QUARRY_BROKER": ""})
        assert (done.code, "QUARRY_BROKER" in done.stderr) == (64, True)
