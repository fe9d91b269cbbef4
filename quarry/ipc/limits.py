"""Bounds of the wire, in bytes (IPC contract)."""

FRAME_PREFIX_BYTES = 4
"""Big-endian unsigned length before each frame."""

MAX_FRAME_BYTES = 16 * 1024 * 1024 - FRAME_PREFIX_BYTES
"""Largest declared length: 16 MiB with the prefix."""

MAX_CHUNK_BYTES = 8 * 1024 * 1024
"""Largest data of one artifact chunk."""

MAX_FILE_BYTES = 8 * 1024 * 1024
"""Largest file of one ``storage.put``."""

MAX_ARTIFACT_BYTES = 1024 * 1024 * 1024
"""Largest artifact, all chunks together."""

MAX_PAYLOAD_DEPTH = 200
"""Deepest nesting of a payload: well below what JSON encoders and decoders recurse to."""

MAX_WRITE_ID = 2**32 - 1
"""Largest ``write_id``."""
