"""The result on standard output: one JSON or YAML document, or text for people."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any

from quarry.errors import QuarryError


class OutputError(QuarryError):
    """Standard output can't be written."""

    code = "output"


_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Characters that JSON may hold raw but a terminal acts on, and halves of surrogate pairs."""


def choose_format(asked: str | None) -> str:
    """Give the format: the one asked for, else a table on a terminal and JSON elsewhere."""
    if asked is not None:
        return asked
    return "table" if is_terminal(sys.stdout) else "json"


def is_terminal(stream: Any) -> bool:
    """Say whether a stream is a terminal; a closed one is not."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def write_document(value: Any, form: str) -> None:
    """Write a value as one JSON or YAML document.

    Args:
        value: Of JSON's types.
        form: ``json`` or ``yaml``.
    """
    if form == "yaml":
        from quarry.config.yaml_text import dump_yaml

        write_text(dump_yaml(value))
    else:
        write_text(json_text(value) + "\n")


def json_text(value: Any) -> str:
    """Give JSON that is safe on a terminal and encodes to UTF-8 whatever the value holds."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def write_text(text: str) -> None:
    """Write text as UTF-8, whatever the locale says.

    A standard output that nobody holds open (closed, or a pipe whose reader has left) swallows the text.

    Raises:
        OutputError: It can't be written (a full disk).
    """
    try:
        sys.stdout.flush()
        stream = sys.stdout.buffer
        stream.write(text.encode("utf-8", "backslashreplace"))
        stream.flush()
    except (AttributeError, BrokenPipeError):
        _drop_stdout()
    except OSError as error:
        _drop_stdout()
        raise OutputError(f"the result can't be written to standard output: {error.strerror}") from error


def _drop_stdout() -> None:
    """Send what is left in buffers nowhere, so that the interpreter does not stumble over it at its end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
