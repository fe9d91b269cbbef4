"""The executor wire: frames, codec and limits. Bytes in, frames out; no I/O here."""

from quarry.ipc.codec import FrameDecoder, encode_frame
from quarry.ipc.frames import (
    ArtifactChunk,
    Cancel,
    Credit,
    FileWrite,
    FileWriteAck,
    Frame,
    Hello,
    ProxyFrame,
    RunRequest,
    RunResultFrame,
    StderrFrame,
    UnknownFrame,
)
from quarry.ipc.limits import (
    FRAME_PREFIX_BYTES,
    MAX_ARTIFACT_BYTES,
    MAX_CHUNK_BYTES,
    MAX_FILE_BYTES,
    MAX_FRAME_BYTES,
)

__all__ = [
    "FRAME_PREFIX_BYTES",
    "MAX_ARTIFACT_BYTES",
    "MAX_CHUNK_BYTES",
    "MAX_FILE_BYTES",
    "MAX_FRAME_BYTES",
    "ArtifactChunk",
    "Cancel",
    "Credit",
    "FileWrite",
    "FileWriteAck",
    "Frame",
    "FrameDecoder",
    "Hello",
    "ProxyFrame",
    "RunRequest",
    "RunResultFrame",
    "StderrFrame",
    "UnknownFrame",
    "encode_frame",
]
