"""The options of a request, for type checkers; what they mean stands at ``Http.request``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quarry.http.url import QueryValue


class RequestOptions(TypedDict, total=False):
    """Keyword arguments of ``get`` and ``post``."""

    params: Mapping[str, QueryValue | Sequence[QueryValue]] | None
    headers: Mapping[str, str] | None
    data: bytes | str | Mapping[str, str] | None
    json: Any
    timeout_s: float
    retries: int
    max_redirects: int
    max_bytes: int
    impersonate: str | None
    verify: bool | str
