"""One item of a pool's list of endpoints: a URL, or a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarry.config.endpoints import (
    FORM,
    check_host,
    check_port,
    check_protocol,
    parse_endpoint,
    password_problems,
    username_problems,
)
from quarry.config.keys import ENDPOINT_KEYS
from quarry.config.suggest import did_you_mean
from quarry.types.proxy import Endpoint
from quarry.types.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CHECKS = {"protocol": check_protocol, "host": check_host, "port": check_port}

Found = list[tuple[str | None, str]]
"""Problems, each with the key of the mapping that it is about."""


def read_item(item: Any) -> tuple[Endpoint | None, Found]:
    """Read an item: text is `Secret`; None, or a None in a mapping, was told by who read the file."""
    if item is None:
        return None, []
    if isinstance(item, Secret):
        endpoint, problems = parse_endpoint(item.reveal())
        return endpoint, [(None, problem) for problem in problems]
    if isinstance(item, dict):
        return _read_mapping(item)
    return None, [(None, f"must be a URL such as {FORM}, or a mapping of {', '.join(ENDPOINT_KEYS)}")]


def plain_text(value: Any) -> str:
    """Give a value that must be a text."""
    if not isinstance(value, str):
        raise ValueError("must be a single value, not a list or a mapping")  # noqa: TRY004 - a user's value
    return value


def _read_mapping(raw: Mapping[str, Any]) -> tuple[Endpoint | None, Found]:
    problems: Found = [
        (name, f"unknown key{did_you_mean(name, ENDPOINT_KEYS)}") for name in raw if name not in ENDPOINT_KEYS
    ]
    read: dict[str, Any] = {}
    for name, check in _CHECKS.items():
        if name not in raw:
            problems.append((name, "is missing"))
        elif raw[name] is not None:
            _read(raw, name, check, read, problems)
    if raw.get("username") is not None:
        _read(raw, "username", plain_text, read, problems)
    problems += _credential_problems(raw, read)
    if problems or any(raw[name] is None for name in raw):
        return None, problems
    return Endpoint(**read, password=raw.get("password")), []


def _read(
    raw: Mapping[str, Any], name: str, check: Callable[[str], Any], read: dict[str, Any], problems: Found
) -> None:
    try:
        read[name] = check(plain_text(raw[name]))
    except ValueError as error:
        problems.append((name, str(error)))


def _credential_problems(raw: Mapping[str, Any], read: Mapping[str, Any]) -> Found:
    problems: Found = []
    for name, other in (("username", "password"), ("password", "username")):
        if name in raw and other not in raw:
            problems.append((name, f"needs a {other} beside it; give both or neither"))
    protocol, password = read.get("protocol"), raw.get("password")
    if "username" in read:
        problems += [("username", told) for told in username_problems(read["username"], protocol)]
    if isinstance(password, Secret):
        problems += [("password", told) for told in password_problems(password.reveal(), protocol)]
    return problems
