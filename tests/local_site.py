"""A web site on loopback for tests: folders or given answers, served by threads, every request remembered."""

from __future__ import annotations

import mimetypes
import threading
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Answer:
    """What the site says to one path."""

    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    location: str | None = None


class LocalSite:
    """Serves until `close`; usable as a context manager.

    Args:
        folder: Files to serve; a folder's address answers with its ``index.html``.
        answers: Answer by path (with query, if any); these come before the folder.
    """

    def __init__(self, folder: Path | None = None, answers: dict[str, Answer] | None = None) -> None:
        self.folder = folder.resolve() if folder else None
        self.answers = dict(answers or {})
        self._requests: list[tuple[str, int]] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.site = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Address of the root, ``http://127.0.0.1:PORT/``."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    @property
    def requests(self) -> list[tuple[str, int]]:
        """Path with query, and status, of every request so far, in order of arrival."""
        with self._lock:
            return list(self._requests)

    def counts(self) -> Counter[str]:
        """How often each path was asked for."""
        return Counter(path for path, _ in self.requests)

    def answer(self, path: str) -> Answer:
        """Find the answer to a path and remember the request."""
        found = self.answers.get(path) or self._from_folder(path) or Answer(b"<p>not here</p>", status=404)
        with self._lock:
            self._requests.append((path, found.status))
        return found

    def _from_folder(self, path: str) -> Answer | None:
        if self.folder is None:
            return None
        file = Path(f"{self.folder}/{unquote(urlsplit(path).path)}")
        if file.is_dir():
            file /= "index.html"
        if ".." in file.parts or not file.is_file():
            return None
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return Answer(file.read_bytes(), kind)

    def close(self) -> None:
        """Stop serving; requests in flight are answered first."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    block_on_close = False
    site: LocalSite

    def handle_error(self, request, client_address) -> None:
        """A client that was killed in the middle of an answer is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave in one packet

    def do_GET(self) -> None:
        answer = self.server.site.answer(self.path)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.location is not None:
            self.send_header("Location", answer.location)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Requests are remembered by the site."""
