"""Typed frames; anything whose ``type`` is not listed here is an event envelope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from quarry.types import Event
from quarry.types.secret import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterator


class ArtifactChunk(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
    tag="artifact_chunk",
):
    """Bytes of an artifact, sent before its event. ``seq`` from 1; the last has ``is_last``."""

    artifact_id: str
    seq: int
    is_last: bool
    data: bytes
    run_id: str | None = None


class FileWrite(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
    tag="file_write",
):
    """A ``storage.put``. ``write_id`` is a uint32 from 1; 0 wants no ack."""

    write_id: int
    filename: str
    content_type: str
    data: bytes
    run_id: str | None = None


class FileWriteAck(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
    tag="file_write_ack",
):
    """The answer to a file write: ``key`` when ok, ``error`` when not."""

    write_id: int
    ok: bool
    key: str | None = None
    error: str | None = None
    run_id: str | None = None


class RunResultFrame(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
    tag="run_result",
):
    """End of a run: ``outcome`` {status completed|error|crash, message, error_type, stack}.

    ``proxy_use`` says what the run found out about the endpoints that it was given: an entry each, in the
    order in which it got them, {protocol, host, port, [username], ok, failed, unheard, latency_ms}. Entries
    that make no sense are dropped when the frame is read.
    """

    outcome: dict[str, Any]
    proxy_used: dict[str, Any] | None = None
    run_id: str | None = None
    proxy_use: list[dict[str, Any]] | None = None


class ProxyFrame(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
    tag="proxy",
):
    """The answer to ``rotate_proxy``: one for each, in order. None: go on with the one in use."""

    run_id: str
    proxy: dict[str, Any] | None = None

    def __repr__(self) -> str:
        """Show no password."""
        return f"ProxyFrame(run_id={self.run_id!r}, proxy={_shown(self.proxy)})"

    def __rich_repr__(self) -> Iterator[str]:  # type: ignore[override]
        """Show rich tracebacks no more."""
        yield repr(self)


class Hello(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
    tag="hello",
):
    """Serving mode: the executor is ready for ``capacity`` runs at once."""

    contract_version: str
    pid: int
    capacity: int


class StderrFrame(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
    tag="stderr",
):
    """Serving mode: text that a run printed."""

    run_id: str
    text: str


class RunRequest(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
    tag="run_request",
):
    """What an executor is asked to run: the JSON object of ipc.md, in serving mode a frame.

    Single-shot executors get the same keys as one JSON line, without ``type``, ``script`` and
    ``credit_bytes``.
    """

    run_id: str
    attempt: int
    job: Any
    job_id: str | None = None
    parent_run_id: str | None = None
    root_run_id: str | None = None
    depth: int | None = None
    proxy: dict[str, Any] | None = None
    browser_ws_endpoint: str | None = None
    storage: dict[str, Any] | None = None
    contract_version: str | None = None
    script: str | None = None
    credit_bytes: int | None = None

    def __repr__(self) -> str:
        """Show neither the job, which may hold secrets, nor a password."""
        hidden = {"job": HIDDEN, "proxy": _shown(self.proxy)}
        fields = ", ".join(
            f"{name}={hidden.get(name) or repr(getattr(self, name))}" for name in self.__struct_fields__
        )
        return f"RunRequest({fields})"

    def __rich_repr__(self) -> Iterator[str]:  # type: ignore[override]
        """Show rich tracebacks no more."""
        yield repr(self)


class Cancel(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
    tag="cancel",
):
    """Serving mode: end this run (deadline, stop, lost lease)."""

    run_id: str


class Credit(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
    tag="credit",
):
    """Serving mode: these bytes of the run (prefix included) have been dealt with."""

    run_id: str
    bytes: int


def _shown(proxy: dict[str, Any] | None) -> str:
    """Show what is known to be no secret."""
    if proxy is None:
        return "None"
    return repr({name: proxy[name] for name in ("protocol", "host", "port", "username") if name in proxy})


class UnknownFrame(msgspec.Struct, frozen=True, kw_only=True):
    """An inbound frame that this side does not know; executors ignore it."""

    type: str
    fields: dict[str, Any]


Frame = (
    Event
    | ArtifactChunk
    | FileWrite
    | FileWriteAck
    | RunResultFrame
    | ProxyFrame
    | Hello
    | StderrFrame
    | RunRequest
    | Cancel
    | Credit
    | UnknownFrame
)
