"""The transport over libcurl (curl_cffi).

One multi handle a process keeps the connections of all runs; easy handles are pooled. A run's cookies travel
with each exchange and are wiped from the handle, so neighbours share sockets and nothing else. libcurl itself
keeps connections apart by proxy and, told so, by proxy credentials.
Rejected: a curl_cffi session a run (its handles and cookie jar cost 0.15 ms of CPU a fetch more, 64 runs at
once, 20 KB pages); a session shared by runs (cookies leak between them).
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from typing import TYPE_CHECKING, Any

from quarry.http.blame import find_blame, is_lifeless, is_silent
from quarry.http.curl_errors import error_code, refused, too_large, translated
from quarry.http.curl_proxy import put_proxy, put_tunnel_only, read_trace, tunnel_url
from quarry.http.doubts import ITSELF, Doubts, is_doubtful
from quarry.http.errors import FetchError
from quarry.http.transport import Exchange, Fetched, Tunnel

if TYPE_CHECKING:
    from curl_cffi import Curl

    from quarry.types.proxy import Endpoint

TUNNEL_S = 5.0
"""How long a proxy may take to make a tunnel that is only a question."""

_IDLE_HANDLES = 128
_KEPT_CONNECTIONS = 256
_WEB_ONLY = 1 | 2  # CURLPROTO_HTTP | CURLPROTO_HTTPS
_ENCODINGS = "gzip, deflate, br, zstd"


class _TooLargeError(Exception):
    """Raised inside a libcurl callback to end the transfer."""


class _Sink:
    """Collects what libcurl hands over."""

    __slots__ = ("body", "header_lines", "left")

    def __init__(self, max_bytes: int) -> None:
        self.body: list[bytes] = []
        self.header_lines: list[bytes] = []
        self.left = max_bytes

    def on_body(self, data: bytes) -> int:
        self.left -= len(data)
        if self.left < 0:
            raise _TooLargeError
        self.body.append(data)
        return len(data)

    def on_header(self, line: bytes) -> int:
        if line.startswith(b"HTTP/"):  # a redirect, an interim response or a proxy's answer went before
            self.header_lines.clear()
            self.body.clear()
        else:
            self.header_lines.append(line)
        return len(line)


class CurlTransport:
    """Performs exchanges with libcurl on the running event loop; start it inside the loop.

    Raises:
        FetchError: curl_cffi is not installed or can't be loaded.
    """

    def __init__(self) -> None:
        try:
            import curl_cffi
        except ImportError as error:
            raise FetchError(
                f"ctx.http needs curl_cffi, which can't be loaded: {error}", kind="other", url=""
            ) from error
        self._curl: Any = curl_cffi
        self._opt: Any = curl_cffi.CurlOpt
        self._info: Any = curl_cffi.CurlInfo
        # In a context of its own: its guard task must not be taken for a task of the run that came first.
        self._multi: Any = contextvars.Context().run(curl_cffi.AsyncCurl)
        _keep_connections(self._multi)
        self._idle: list[Any] = []
        self._doubts = Doubts()
        self._signs_of_life = Doubts()
        self._targets: dict[str, str] = {}
        self._closed = False
        self._gone = False

    async def fetch(self, exchange: Exchange) -> Fetched:
        """Perform one exchange."""
        if self._closed:
            raise _closed()
        handle = self._idle.pop() if self._idle else self._new_handle()
        sink = _Sink(exchange.max_bytes)
        try:
            self._prepare(handle, exchange, sink)
            await self._multi.add_handle(handle)
            if self._closed:
                raise _closed()
            fetched = self._read(handle, sink)
        except asyncio.CancelledError:
            self._note_silence(handle, exchange)
            raise
        except _TooLargeError:
            raise too_large(exchange.max_bytes) from None
        except self._curl.CurlError as error:
            raise translated(error, self._info, handle, exchange) from error
        finally:
            self._release(handle)
        proxy = exchange.proxy
        if proxy is None or not is_doubtful(fetched.status_code, fetched.url, proxy):
            return fetched
        if await self.refuses_credentials(proxy, fetched.url, fetched.status_code, verify=exchange.verify):
            raise refused(proxy, fetched.status_code)
        return fetched

    async def refuses_credentials(
        self, proxy: Endpoint, url: str, status: int, *, verify: bool | str = True
    ) -> bool:
        """Say whether a 401 or 407 is the proxy's."""
        return await self._doubts.refused(proxy, status, lambda: self.try_tunnel(proxy, url, verify=verify))

    async def lives(self, proxy: Endpoint, *, verify: bool | str = True) -> bool:
        """Say whether a proxy reacts to a request for a tunnel to itself."""
        return await self._signs_of_life.lives(proxy, lambda: self.try_tunnel(proxy, ITSELF, verify=verify))

    async def try_tunnel(self, proxy: Endpoint, url: str, *, verify: bool | str = True) -> Tunnel:
        """Ask a proxy for a tunnel."""
        if self._closed:
            return Tunnel(stood=False)
        handle = self._new_handle()
        question = Exchange(method="GET", url=tunnel_url(url), proxy=proxy, verify=verify, timeout_s=TUNNEL_S)
        try:
            self._prepare(handle, question, _Sink(0))
            put_tunnel_only(self._opt, handle.setopt, proxy)
            try:
                await self._multi.add_handle(handle)
            except self._curl.CurlError as error:
                code = error_code(error)
            else:
                return Tunnel(stood=not self._closed)
            trace = read_trace(self._info, handle, code=code, proxy=proxy, tunnelled=True)
            blame = find_blame(trace)
            by_proxy = blame is not None and blame.kind == "proxy"
            return Tunnel(
                stood=False,
                answer=trace.answer,
                by_proxy=by_proxy,
                target_refused=blame is not None and blame.target_refused,
                lifeless=is_lifeless(trace),
            )
        finally:
            self._drop(handle)  # not kept: a tunnel that nothing goes through lives as long as its handle

    async def close(self) -> None:
        """Close the connections; the questions under way end first."""
        if self._closed:
            return
        self._closed = True
        await asyncio.gather(self._doubts.close(), self._signs_of_life.close())
        for handle in self._idle:
            handle.close()
        self._idle.clear()
        await self._multi.close()
        self._gone = True

    def _new_handle(self) -> Any:
        return self._curl.Curl()

    def _prepare(self, handle: Curl, exchange: Exchange, sink: _Sink) -> None:
        opt, put = self._opt, handle.setopt
        put(opt.WRITEFUNCTION, sink.on_body)
        put(opt.HEADERFUNCTION, sink.on_header)
        put(opt.URL, exchange.url)
        put(opt.TIMEOUT_MS, math.ceil(exchange.timeout_s * 1000))  # 0 would be no limit
        put(opt.MAXFILESIZE_LARGE, exchange.max_bytes)
        if exchange.max_redirects:
            put(opt.FOLLOWLOCATION, 1)
            put(opt.REDIR_PROTOCOLS, _WEB_ONLY)
            put(opt.MAXREDIRS, exchange.max_redirects)
        self._put_body(handle, exchange)
        put(opt.COOKIEFILE, b"")  # switches the cookie engine on
        put(opt.COOKIELIST, "ALL")  # forgets the cookies of whoever had the handle before
        for line in exchange.cookies:
            put(opt.COOKIELIST, line)
        put_proxy(opt, put, exchange.proxy)
        put(opt.HTTPHEADER, [_header_line(name, value) for name, value in exchange.headers] + [b"Expect:"])
        put(opt.ACCEPT_ENCODING, _ENCODINGS)
        if exchange.impersonate is not None:
            self._impersonate(handle, exchange.impersonate)
        if exchange.verify is False:
            handle._skip_cacert = True  # noqa: SLF001 - curl_cffi's own sessions switch it off in this way
            put(opt.SSL_VERIFYPEER, 0)
            put(opt.SSL_VERIFYHOST, 0)
        elif isinstance(exchange.verify, str):
            put(opt.CAINFO, exchange.verify)
            put(opt.PROXY_CAINFO, exchange.verify)

    def _put_body(self, handle: Curl, exchange: Exchange) -> None:
        opt, put = self._opt, handle.setopt
        if exchange.method == "HEAD":
            put(opt.NOBODY, 1)
        elif exchange.method == "POST":
            put(opt.POST, 1)
        elif exchange.method != "GET":
            put(opt.CUSTOMREQUEST, exchange.method)
        if exchange.body is not None or exchange.method in {"POST", "PUT", "PATCH"}:
            body = exchange.body or b""
            put(opt.POSTFIELDS, body)
            put(opt.POSTFIELDSIZE, len(body))
            if exchange.method == "GET":
                put(opt.CUSTOMREQUEST, "GET")

    def _impersonate(self, handle: Curl, name: str) -> None:
        target = self._targets.get(name)
        if target is None:
            from curl_cffi.requests import impersonate

            newest: Any = impersonate.resolve_latest_browser_type
            target = self._targets[name] = str(newest(name))
        if handle.impersonate(target) != 0:
            raise FetchError(
                f"impersonate={name!r} is not known; use 'chrome', 'firefox', 'safari', 'edge' or None",
                kind="other",
                url="",
            )

    def _read(self, handle: Curl, sink: _Sink) -> Fetched:
        read: Any = handle.getinfo
        cookies = [line.decode(errors="replace") for line in read(self._info.COOKIELIST)]
        return Fetched(
            status_code=read(self._info.RESPONSE_CODE),
            url=read(self._info.EFFECTIVE_URL).decode(errors="replace"),
            header_lines=sink.header_lines,
            content=sink.body[0] if len(sink.body) == 1 else b"".join(sink.body),
            cookies=cookies,
        )

    def _release(self, handle: Curl) -> None:
        if self._closed:
            self._drop(handle)
            return
        self._multi.remove_handle(handle)
        handle.clean_handles_and_buffers()
        if len(self._idle) < _IDLE_HANDLES:
            handle.reset()
            self._idle.append(handle)
        else:
            handle.close()

    def _drop(self, handle: Curl) -> None:
        if (
            not self._gone
        ):  # a handle that is closed while the multi still has it breaks the multi's own close
            self._multi.remove_handle(handle)
        handle.close()

    def _note_silence(self, handle: Curl, exchange: Exchange) -> None:
        if exchange.proxy is None or exchange.on_silent_end is None:
            return
        if is_silent(read_trace(self._info, handle, code=0, proxy=exchange.proxy)):
            exchange.on_silent_end()


def _closed() -> FetchError:
    return FetchError("the HTTP client is closed", kind="other", url="")


def _keep_connections(multi: Any) -> None:
    """Keep connections between bursts; libcurl would keep four for each transfer that is still under way.

    Not by ``multi.setopt``: that passes the address of a number in its place.
    """
    from curl_cffi import CurlMOpt
    from curl_cffi._wrapper import ffi, lib  # type: ignore[import-not-found]

    lib.curl_multi_setopt(multi._curlm, CurlMOpt.MAXCONNECTS, ffi.cast("void *", _KEPT_CONNECTIONS))  # noqa: SLF001


def _header_line(name: str, value: str) -> bytes:
    return f"{name}: {value}".encode() if value else f"{name};".encode()
