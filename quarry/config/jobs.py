"""The job's parameters: strict JSON, each fault with line and column."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from quarry.config.job_secrets import reference_problem
from quarry.config.json_scan import find_fault
from quarry.ipc.limits import MAX_PAYLOAD_DEPTH

MAX_JOB_BYTES = 8 * 1024 * 1024
"""Largest job; its run request must fit a frame."""

_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**64 - 1


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """Something that a scan will find, and say where it is."""


def parse_job(text: str) -> dict[str, Any]:
    """Parse a job.

    Args:
        text: JSON text.

    Returns:
        The object.

    Raises:
        ValueError: With a message for the user: what, and where in the text.
    """
    if len(text) > MAX_JOB_BYTES:
        raise ValueError(
            f"is larger than {MAX_JOB_BYTES} bytes; put large inputs into a file that the script reads"
        )
    text = text.removeprefix("\ufeff")
    try:
        job = json.loads(
            text,
            parse_constant=_refuse,
            parse_float=_parse_float,
            parse_int=_parse_int,
            object_pairs_hook=_parse_object,
        )
    except json.JSONDecodeError as error:
        raise ValueError(
            f"is not JSON: line {error.lineno}, column {error.colno}: {_told(text, error)}"
        ) from None
    except RecursionError:
        raise ValueError(f"is nested more than {MAX_PAYLOAD_DEPTH} levels deep") from None
    except _Refused as error:
        raise ValueError(find_fault(text) or str(error)) from None
    if not isinstance(job, dict):
        raise ValueError(  # noqa: TRY004 - a value of the user's, not a type of ours
            f'must be a JSON object such as {{"url": "https://example.org/"}}, not {_kind(job)}'
        )
    _check_representable(job)
    return job


def _check_representable(job: dict[str, Any]) -> None:
    waiting: list[tuple[Any, int]] = [(job, 1)]
    while waiting:
        value, level = waiting.pop()
        if level > MAX_PAYLOAD_DEPTH:
            raise ValueError(f"is nested more than {MAX_PAYLOAD_DEPTH} levels deep")
        if isinstance(value, dict):
            if (problem := reference_problem(value)) is not None:
                raise ValueError(problem)
            waiting += [(part, level + 1) for pair in value.items() for part in pair]
        elif isinstance(value, list):
            waiting += [(part, level + 1) for part in value]
        elif isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError(
                    r"holds half of a surrogate pair (\ud800 to \udfff alone), which is no text"
                ) from None


def _parse_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("has a key twice in one object")
    return found


def _parse_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Refused("has a number that is too large")
    return number


def _parse_int(text: str) -> int:
    if len(text) > len(str(_MIN_INTEGER)):
        raise _Refused("has an integer beyond 64 bits")
    number = int(text)
    if not _MIN_INTEGER <= number <= _MAX_INTEGER:
        raise _Refused("has an integer beyond 64 bits")
    return number


def _refuse(name: str) -> NoReturn:
    raise _Refused(f"holds {name}, which is not JSON")


def _told(text: str, error: json.JSONDecodeError) -> str:
    if not text.strip():
        return "it is empty"
    return error.msg[0].lower() + error.msg[1:]


def _kind(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")
