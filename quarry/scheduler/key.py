"""The key of a job: what makes two enqueues one job."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785

from quarry.errors import ScriptError

KEY_HEX_DIGITS = 32
_LARGEST_EXACT = 2**53 - 1
# JSON text never holds a raw NUL, and canonical JSON writes one in a string like this. A tag starts with NUL,
# and so that no string of a user can be taken for one, strings that start with NUL are tagged as well.
_NUL = "\0"
_STARTS_WITH_NUL = b'"\\u0000'
_TAGGED_INTEGER = "\0i"
_TAGGED_STRING = "\0s"


class JobKeyError(ScriptError, ValueError):
    """The target or the params of a job have no canonical JSON form."""

    code = "job_key"


def job_key(target: str, params: Any) -> str:
    """Compute the key of a job.

    SHA-256 over the target, a zero byte, and the canonical JSON of the params; of that the first 16 bytes.

    Args:
        target: The resolved target: logical name, path under the scripts root, or absolute path.
        params: Any JSON value.

    Returns:
        32 hex digits. The order of keys, the escapes of a character, and ``1.0`` for ``1`` make no
        difference; integers of any size are told apart.

    Raises:
        JobKeyError: Target or params can't be represented.
    """
    try:
        name = target.encode()
    except UnicodeEncodeError as error:
        raise JobKeyError(f"the target {target!r} holds half a character (a lone surrogate)") from error
    return hashlib.sha256(name + b"\0" + canonical_json(params)).hexdigest()[:KEY_HEX_DIGITS]


def canonical_json(value: Any) -> bytes:
    """Write a JSON value as RFC 8785 says, integers beyond 2^53 - 1 tagged as strings first.

    Raises:
        JobKeyError: NaN, an infinity, a key that is no string, a lone surrogate, a type that JSON does not
            have, or nesting too deep.
    """
    try:
        try:
            text = rfc8785.dumps(value)
        except rfc8785.IntegerDomainError:
            return bytes(rfc8785.dumps(_tag(value)))
        return bytes(rfc8785.dumps(_tag(value)) if _STARTS_WITH_NUL in text else text)
    except rfc8785.FloatDomainError as error:
        raise JobKeyError("params hold NaN or an infinity, which JSON does not have") from error
    except rfc8785.CanonicalizationError as error:
        raise JobKeyError(f"params are not JSON: {error}") from error
    except UnicodeEncodeError as error:
        raise JobKeyError("params hold half a character (a lone surrogate)") from error
    except RecursionError as error:
        raise JobKeyError("params are nested too deeply, or hold themselves") from error
    except (AttributeError, TypeError) as error:
        raise JobKeyError(f"params are not JSON: {error}") from error


def _tag(value: Any) -> Any:
    if isinstance(value, str):
        return _TAGGED_STRING + value if value.startswith(_NUL) else value
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST_EXACT else f"{_TAGGED_INTEGER}{value:d}"
    if isinstance(value, dict):
        return {key: _tag(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_tag(member) for member in value]
    return value
