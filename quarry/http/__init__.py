"""The HTTP client of scripts. Home of curl_cffi and selectolax; both are loaded on first use."""

from quarry.http.client import (
    DEFAULT_IMPERSONATE,
    DEFAULT_MAX_BYTES,
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT_S,
    Http,
)
from quarry.http.doubts import PATIENCE_S, is_doubtful
from quarry.http.errors import FetchError, HttpStatusError
from quarry.http.headers import Headers
from quarry.http.proxy import endpoint_of, proxy_address
from quarry.http.response import Response
from quarry.http.transport import Exchange, Fetched, Transport
from quarry.http.use import ProxyUse

__all__ = [
    "DEFAULT_IMPERSONATE",
    "DEFAULT_MAX_BYTES",
    "DEFAULT_RETRIES",
    "DEFAULT_TIMEOUT_S",
    "PATIENCE_S",
    "Exchange",
    "FetchError",
    "Fetched",
    "Headers",
    "Http",
    "HttpStatusError",
    "ProxyUse",
    "Response",
    "Transport",
    "endpoint_of",
    "is_doubtful",
    "proxy_address",
]
