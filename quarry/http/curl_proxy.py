"""What libcurl is told of a proxy, and what it tells of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from quarry.http.blame import Trace
from quarry.http.proxy import proxy_address

if TYPE_CHECKING:
    from quarry.types.proxy import Endpoint


def put_proxy(opt: Any, put: Any, proxy: Endpoint | None) -> None:
    """Set the proxy of a transfer.

    Args:
        opt: ``curl_cffi.CurlOpt``.
        put: The handle's ``setopt``.
        proxy: None: direct.
    """
    # Set always: left alone, libcurl reads http_proxy, all_proxy and no_proxy from the environment.
    if proxy is None:
        put(opt.PROXY, "")
        return
    put(opt.NOPROXY, "")
    put(opt.SUPPRESS_CONNECT_HEADERS, 1)
    put(opt.PROXY, proxy_address(proxy))
    put(opt.PROXY_CREDENTIAL_NO_REUSE, 1)
    if proxy.username is not None:
        put(opt.PROXYUSERNAME, proxy.username)
        put(opt.PROXYPASSWORD, proxy.password.reveal() if proxy.password is not None else "")


def put_tunnel_only(opt: Any, put: Any, proxy: Endpoint) -> None:
    """Let a transfer end once its tunnel stands or was refused."""
    if proxy.protocol != "socks5":
        put(opt.HTTPPROXYTUNNEL, 1)
    put(opt.CONNECT_ONLY, 1)
    put(opt.FRESH_CONNECT, 1)


def tunnel_url(url: str) -> str:
    """Give a URL of the same host and port that needs no TLS with the target."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"http://{parts.netloc.rpartition('@')[2].removesuffix(f':{parts.port}')}:{port}/"


def read_trace(info: Any, handle: Any, *, code: int, proxy: Endpoint, tunnelled: bool = False) -> Trace:
    """Read what is known of a transfer that failed; before the handle is reset.

    Args:
        info: ``curl_cffi.CurlInfo``.
        handle: The transfer's.
        code: Its error code.
        proxy: That it went through.
        tunnelled: An http or https proxy was asked to CONNECT for plain HTTP too.
    """
    read = handle.getinfo
    tunnelled = tunnelled or read(info.EFFECTIVE_URL)[:6].lower() == b"https:"
    return Trace(
        code=code,
        protocol=proxy.protocol,
        tunnelled=tunnelled and proxy.protocol != "socks5",
        connections=int(read(info.NUM_CONNECTS)),
        reached=bool(read(info.PRIMARY_IP)),
        answer=int(read(info.HTTP_CONNECTCODE)),
        socks=int(read(info.PROXY_ERROR)),
        proxy_verified=int(read(info.PROXY_SSL_VERIFYRESULT)) == 0,
        heard=int(read(info.HEADER_SIZE)) > 0,
    )
