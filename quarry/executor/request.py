"""Read and check what an executor is asked to run."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import msgspec

from quarry.errors import ConfigError
from quarry.ipc import RunRequest
from quarry.types.proxy import PROTOCOLS

_MAX_PORT = 65_535


def parse_request(line: bytes) -> RunRequest:
    """Read the JSON line of single-shot mode.

    Args:
        line: Without the line break.

    Raises:
        ConfigError: Not JSON (NaN and infinities are not), not an object, or a field is missing or wrong.
    """
    try:
        fields = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the request on stdin is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise ConfigError(f"the request on stdin must be a JSON object, not {type(fields).__name__}")
    if "job" not in fields:
        raise ConfigError("the request has no key 'job'")
    known = {name: fields[name] for name in RunRequest.__struct_fields__ if name in fields}
    try:
        request = msgspec.convert(known | {"type": "run_request"}, RunRequest)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the request is wrong: {error}") from None
    check_request(request)
    return request


def check_request(request: RunRequest) -> None:
    """Check what types alone don't say.

    Raises:
        ConfigError: Naming every problem.
    """
    problems = []
    if not request.run_id:
        problems.append("run_id is empty")
    if request.attempt < 1:
        problems.append(f"attempt is {request.attempt}; it counts from 1")
    elif request.attempt > 1 and not request.parent_run_id:
        problems.append("parent_run_id is required above attempt 1")
    if request.depth is not None and request.depth < 0:
        problems.append(f"depth is {request.depth}; a root has 0")
    if request.proxy is not None:
        problems += proxy_problems(request.proxy)
    if problems:
        raise ConfigError([f"the request is wrong: {problem}" for problem in problems])


def proxy_problems(proxy: dict[str, Any]) -> list[str]:
    """Say what is wrong with the ``proxy`` object of a request or an answer; no text of it is repeated."""
    problems = []
    if proxy.get("protocol") not in PROTOCOLS:
        problems.append(f"proxy.protocol must be one of {', '.join(PROTOCOLS)}")
    if not isinstance(proxy.get("host"), str) or not proxy["host"]:
        problems.append("proxy.host is missing")
    port = proxy.get("port")
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= _MAX_PORT:
        problems.append(f"proxy.port must be a number from 1 to {_MAX_PORT}")
    credentials = [proxy.get(name) for name in ("username", "password")]
    if any(value is not None and not isinstance(value, str) for value in credentials):
        problems.append("proxy.username and proxy.password must be strings")
    elif (credentials[0] is None) != (credentials[1] is None):
        problems.append("proxy.username and proxy.password go together")
    return problems


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
