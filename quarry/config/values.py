"""Checks of single values: text in, typed value out, or ValueError with a message for the user.

Every source hands text, so that a flag, a variable and a line of the file obey the same rules. No message
repeats the value: it may be a secret.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import quote

from quarry.config import options
from quarry.config.durations import parse_duration_ms
from quarry.config.settings import MaxFailures
from quarry.config.suggest import nearest
from quarry.types import is_safe_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MAX_PARTITION_CHARS = 200
_MAX_DATASET_BYTES = 200
_MAX_TEXT_CHARS = 4096
_MAX_PERCENT = 100
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,9})?)\s*%")
_SWITCH = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def integer_between(low: int, high: int | None = None) -> Callable[[str], int]:
    """Make the check of a whole number; both bounds belong to the range."""
    bounds = f"of {low} or more" if high is None else f"from {low} to {high}"

    def check(text: str) -> int:
        if not _INTEGER.fullmatch(text.strip()):
            raise ValueError(f"must be a whole number {bounds}")
        number = int(text)
        if number < low or (high is not None and number > high):
            raise ValueError(f"must be a whole number {bounds}")
        return number

    return check


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    """Make the check of a choice."""

    def check(text: str) -> str:
        if text not in names:
            if len(names) == 1:
                raise ValueError(f"must be {names[0]}, the only one in this version")
            near = nearest(text, names)
            raise ValueError(
                f"must be one of {', '.join(names)}" + (f"; did you mean {near}?" if near else "")
            )
        return text

    return check


def check_switch(text: str) -> bool:
    """Check a switch: true or false (also yes/no, on/off, 1/0)."""
    try:
        return _SWITCH[text.strip().lower()]
    except KeyError:
        raise ValueError("must be true or false") from None


def check_text(text: str) -> str:
    """Check a text that is not empty and holds no control characters."""
    if not text:
        raise ValueError("must not be empty")
    if len(text) > _MAX_TEXT_CHARS:
        raise ValueError(f"must not be longer than {_MAX_TEXT_CHARS} characters")
    if any(unicodedata.category(c) in {"Cc", "Cs"} for c in text):
        raise ValueError("must hold no control characters and no bytes that are not UTF-8")
    return text


def check_partition(text: str) -> str:
    """Check a partition value: any text but ``.`` and ``..``, at most 200 characters once percent-encoded."""
    check_text(text)
    if text in {".", ".."}:
        raise ValueError("must be a name, not '.' or '..'")
    if len(quote(text, safe="", errors="surrogatepass")) > _MAX_PARTITION_CHARS:
        raise ValueError(
            f"must not be longer than {_MAX_PARTITION_CHARS} characters once percent-encoded (a byte other"
            " than an ASCII letter, a digit, '_', '.', '-' or '~' counts three)"
        )
    return text


def check_dataset(text: str) -> str:
    """Check a dataset id: one folder name."""
    check_text(text)
    if text in {".", ".."} or "/" in text or "\\" in text or len(text.encode()) > _MAX_DATASET_BYTES:
        raise ValueError(
            f"must be one folder name: no '/' or '\\', not '.' or '..', at most {_MAX_DATASET_BYTES} bytes"
        )
    return text


def check_id(text: str) -> str:
    """Check an id that stands as one path segment."""
    if not is_safe_segment(text):
        raise ValueError(
            "must be 1 to 200 letters, digits and . _ - : @ + = ~, not '.' or '..', and not start with '-'"
        )
    return text


def check_path(text: str) -> str:
    """Check a path as text; whether something is there is checked later."""
    check_text(text)
    if "://" in text:
        raise ValueError("must be a path on this machine; this version stores nothing elsewhere")
    return text


def check_duration(text: str) -> int:
    """Check a deadline; gives milliseconds."""
    milliseconds = parse_duration_ms(text)
    if milliseconds > options.MAX_TIMEOUT_MS:
        raise ValueError("must not be longer than 7 days (168h)")
    return milliseconds


def duration_between(low_ms: int, high_ms: int) -> Callable[[str], int]:
    """Make the check of a duration; gives milliseconds, both bounds belong to the range."""

    def check(text: str) -> int:
        milliseconds = parse_duration_ms(text)
        if not low_ms <= milliseconds <= high_ms:
            raise ValueError(f"must be a duration from {_shown(low_ms)} to {_shown(high_ms)}")
        return milliseconds

    return check


def _shown(milliseconds: int) -> str:
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def check_price(text: str) -> float:
    """Check a price."""
    try:
        price = float(text)
    except ValueError:
        price = -1.0
    if not 0 <= price < float("inf"):
        raise ValueError("must be a number of 0 or more")
    return price


def check_broker(text: str) -> str:
    """Check a broker's URL; the message never repeats it, it may hold a password."""
    from quarry.errors import ConfigError
    from quarry.redisio.urls import client_url

    try:
        client_url(check_text(text))
    except ConfigError as error:
        raise ValueError(error.message) from None
    return text


def check_max_failures(text: str) -> MaxFailures:
    """Check ``N`` or ``P%``."""
    if match := _PERCENT.fullmatch(text.strip()):
        percent = float(match[1])
        if percent <= _MAX_PERCENT:
            return MaxFailures(percent=percent)
    elif _INTEGER.fullmatch(text.strip()) and int(text) >= 0:
        return MaxFailures(count=int(text))
    raise ValueError("must be a number of runs such as 10, or percent of them from 0% to 100% such as 2.5%")


def check_script_name(text: str) -> str:
    """Check a logical name: it must not read as a path."""
    check_text(text)
    if "/" in text or text.endswith(".py") or text != text.strip():
        raise ValueError("a name under 'scripts:' must not look like a path: no '/', no '.py' at its end")
    return text
