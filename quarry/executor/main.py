"""The executor's command line."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

from quarry.executor.log import log_line
from quarry.executor.process import leave, resolve_folders
from quarry.executor.serve import DEFAULT_CAPACITY, run_serving
from quarry.executor.single import BAD_INPUT, run_single
from quarry.executor.stdio import claim_stdio

USAGE = """\
usage: python -m quarry.executor SCRIPT               one run; its request is one line of JSON on stdin
       python -m quarry.executor --validate SCRIPT    load the script, run nothing
       python -m quarry.executor --serve [--capacity N]"""


def main() -> NoReturn:
    """Run the command line; exits with 0 completed, 1 script error, 2 crash, 3 bad arguments or input."""
    arguments = sys.argv[1:]
    _leave_cwd()
    bad = [folder for folder in resolve_folders(os.environ) if not Path(folder).is_dir()]
    if bad:
        sys.exit(_refuse(f"QUARRY_RESOLVE_FROM names {bad[0]!r}, which is no folder"))
    match arguments:
        case ["--serve", *rest]:
            capacity = _capacity(rest)
            leave(run_serving(capacity, claim_stdio()))
        case ["--validate", script]:
            _validate(script)
        case [script] if not script.startswith("--"):
            leave(run_single(script, claim_stdio()))
        case _:
            sys.exit(_refuse(f"wrong arguments: {' '.join(arguments) or '(none)'}\n{USAGE}"))


def _validate(script: str) -> NoReturn:
    from quarry.executor.validate import validate

    wire = claim_stdio()
    code, answer = validate(script)
    os.set_blocking(wire.out_fd, True)
    os.write(wire.out_fd, f"{json.dumps(answer)}\n".encode())
    leave(code)


def _capacity(rest: list[str]) -> int:
    match rest:
        case []:
            return DEFAULT_CAPACITY
        case ["--capacity", number] if number.isascii() and number.isdigit() and int(number) > 0:
            return int(number)
    sys.exit(_refuse(f"--serve takes --capacity N, N from 1, not: {' '.join(rest)}\n{USAGE}"))


def _leave_cwd() -> None:
    """Take the working directory, which ``python -m`` adds, off the path."""
    if not sys.flags.safe_path and sys.path and sys.path[0] == str(Path.cwd()):
        del sys.path[0]


def _refuse(message: str) -> int:
    log_line(message)
    return BAD_INPUT
