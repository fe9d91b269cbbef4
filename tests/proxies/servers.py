"""Real proxies on loopback, each a process of its own with credentials and a log: tinyproxy and microsocks.

`TlsFront` puts TLS in front of any of them (an https proxy), or of a site (an https target).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import signal
import ssl
import subprocess
import threading
import time
from pathlib import Path
from typing import Self

from tests.services import require_service
from tests.workers.kit import free_port

HOST = "127.0.0.1"
_DEADLINE_S = 20.0
_REQUEST = re.compile(r"Request \(file descriptor \d+\): (\S+) (\S+)")
_CONNECTED = re.compile(r"connected to (\S+)")


class ProxyProcess:
    """A proxy that runs until `stop`; usable as a context manager.

    Args:
        folder: Takes configuration and log; made where it is missing.
        username: With a password, or None: nobody has to say who they are.
        password: Likewise.
        port: None: a free one.
        source: Address of loopback that its own connections come from: a site's log then tells proxies apart.
    """

    protocol = ""

    def __init__(
        self,
        folder: Path,
        *,
        username: str | None = "user",
        password: str | None = "Pass-w0rd.1",  # tinyproxy takes no other marks than these
        port: int | None = None,
        source: str | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.username = username
        self.password = password
        self.port = port or free_port()
        self.source = source
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; only while it runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def identity(self) -> str:
        """As Quarry names it: protocol, username, host and port."""
        user = f"{self.username}@" if self.username else ""
        return f"{self.protocol}://{user}{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """With its password, as a list of endpoints has it."""
        user = f"{self.username}:{self.password}@" if self.username else ""
        return f"{self.protocol}://{user}{HOST}:{self.port}"

    def wire(self, **changed: object) -> dict[str, object]:
        """The ``proxy`` object of a request."""
        credentials = {"username": self.username, "password": self.password} if self.username else {}
        return {"protocol": self.protocol, "host": HOST, "port": self.port, **credentials, **changed}

    def start(self) -> Self:
        """Start it, and wait until it listens."""
        assert self._process is None
        with self._output().open("ab") as output:
            self._process = subprocess.Popen(
                self._argv(), stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder
            )
        deadline = time.monotonic() + _DEADLINE_S
        while not self._listens():
            assert self._process.poll() is None, self._output().read_text(errors="replace")
            assert time.monotonic() < deadline, f"{self._argv()[0]} does not listen"
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        """End it at once; connections through it break. It may be started again, on the same port."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def pause(self) -> None:
        """Stop its process: it accepts connections, and does nothing more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def connections(self) -> int:
        """How many connections to it it has not closed; those too that it has not accepted."""
        return sum(state in {"01", "08"} for state in self._states())  # established, closed by the client

    def carried(self) -> list[str]:
        """What it says in its log that it connected to or asked for: ``host:port``, in order, refusals left out."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _argv(self) -> list[str]:
        raise NotImplementedError

    def _output(self) -> Path:
        return self.folder / "output"

    def _listens(self) -> bool:
        # Asked of the kernel: a connection of ours would stand in its log.
        return "0A" in self._states()

    def _states(self) -> list[str]:
        sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return [socket[3] for socket in sockets if socket[1].endswith(f":{self.port:04X}")]


class Tinyproxy(ProxyProcess):
    """An http proxy. Wrong credentials get a 401 from it, none a 407, an unreachable target a 500."""

    protocol = "http"

    def __init__(self, folder: Path, *, connect_ports: tuple[int, ...] = (), **options: object) -> None:
        """``connect_ports``: the only ones that CONNECT may name; none: any."""
        super().__init__(folder, **options)
        self._connect_ports = connect_ports

    def requests(self) -> list[tuple[str, str]]:
        """Method and target of each request that came, refused ones too, in order."""
        return [(found[1], found[2]) for found in _REQUEST.finditer(self._log())]

    def carried(self) -> list[str]:
        return re.findall(r"opensock: opening connection to (\S+)", self._log())

    def refused(self) -> int:
        """How many requests it answered itself: for their credentials, or the port that they named."""
        return len(self.requests()) - len(self.carried())

    def _log(self) -> str:
        return (self.folder / "log").read_text(errors="replace") if (self.folder / "log").exists() else ""

    def _argv(self) -> list[str]:
        configuration = self.folder / "tinyproxy.conf"
        lines = [
            f"Port {self.port}",
            f"Listen {HOST}",
            "Timeout 600",
            "MaxClients 512",
            f'LogFile "{self.folder / "log"}"',
            "LogLevel Info",
            *(f"ConnectPort {port}" for port in self._connect_ports),
        ]
        if self.source is not None:
            lines.append(f"Bind {self.source}")
        if self.username is not None:
            lines.append(f"BasicAuth {self.username} {self.password}")
        configuration.write_text("\n".join(lines) + "\n")
        configuration.chmod(0o600)
        return [require_service("tinyproxy"), "-d", "-c", str(configuration)]


class Microsocks(ProxyProcess):
    """A SOCKS5 proxy."""

    protocol = "socks5"

    def carried(self) -> list[str]:
        return _CONNECTED.findall(self._output().read_text(errors="replace"))

    def _argv(self) -> list[str]:
        # It overwrites its own arguments as soon as it runs.
        options = ["-u", self.username, "-P", self.password] if self.username else []
        options += ["-b", self.source] if self.source else []
        return [require_service("microsocks"), "-i", HOST, "-p", str(self.port), *map(str, options)]


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost and 127.0.0.1, which is its own authority; and its key."""
    require_service("openssl")
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [shutil.which("openssl") or "", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", f"subjectAltName=DNS:localhost,IP:{HOST}",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


class TlsFront:
    """Takes TLS off and passes the bytes on to a port of loopback, in a thread; usable as a context manager.

    Args:
        certificate: With its key.
        target_port: Where the bytes go.
    """

    def __init__(self, certificate: tuple[Path, Path], target_port: int) -> None:
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*certificate)
        self._target_port = target_port
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(_DEADLINE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        self._passing: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._connected, HOST, 0, ssl=self._tls, backlog=256)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._ending.wait()
        server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        writers = [writer]
        try:
            other_reader, other_writer = await asyncio.open_connection(HOST, self._target_port)
            writers.append(other_writer)
            await asyncio.gather(_pass_on(reader, other_writer), _pass_on(other_reader, writer))
        except (OSError, asyncio.CancelledError):
            for each in writers:
                each.transport.abort()
        self._passing.discard(task)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
