"""Load a script without running it: ``EXECUTOR --validate SCRIPT``."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from quarry.runtime.process import ExecutorProcess, ExecutorStartError, check_executor, own_executor
from quarry.runtime.single import executor_env

_TIMEOUT_S = 60.0
_MAX_ANSWER_BYTES = 1024 * 1024


class ValidateResult(msgspec.Struct, frozen=True, kw_only=True):
    """What an executor says of a script.

    Attributes:
        valid: It can be loaded, and exports what it must.
        error: Why not, or why the executor gave no answer; empty when valid.
        exports: ``{"default": bool, "hooks": [names]}`` as the executor gave it.
        started: The executor was started and answered; False is the third exit code of ``--dry-run``.
    """

    valid: bool
    error: str = ""
    exports: dict[str, Any] | None = None
    started: bool = True


async def validate_script(
    script: str,
    *,
    executor: str | None = None,
    resolve_from: str | None = None,
    env: dict[str, str] | None = None,
) -> ValidateResult:
    """Ask an executor whether it can load a script.

    Args:
        script: As the executor shall get it.
        executor: Path of a foreign executor; None for Quarry's own.
        resolve_from: Folder for the script's own imports.
        env: Environment to start from; None inherits.

    Raises:
        ConfigError: The foreign executor is not there or not executable.
    """
    if executor is None:
        argv = own_executor("--validate", script)
    else:
        argv = [check_executor(executor), "--validate", script]
    try:
        process = await ExecutorProcess.start(argv, env=executor_env(env, resolve_from))
    except ExecutorStartError as error:
        return ValidateResult(valid=False, error=error.message, started=False)
    process.stdin.close()
    try:
        answer, code = await asyncio.wait_for(_answer(process), _TIMEOUT_S)
    except TimeoutError:
        return _no_answer(f"the executor gave no answer in {_TIMEOUT_S:g} s")
    finally:
        await process.end(grace_s=0)
    return _judge(answer, code, process.stderr.last_line())


async def _answer(process: ExecutorProcess) -> tuple[bytes, int]:
    answer = b""
    while data := await process.stdout.read(64 * 1024):
        answer = (answer + data)[:_MAX_ANSWER_BYTES]
    return answer, await process.wait_ended()


def _judge(answer: bytes, code: int, words: str) -> ValidateResult:
    """Read the one JSON line, which must agree with the exit code."""
    try:
        fields = msgspec.json.decode(answer)
        valid = fields["valid"]
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, KeyError):
        problem = f"the executor ended with exit code {code} and no answer to --validate"
        return _no_answer(f"{problem}: {words}" if words else problem)
    if valid is True and code == 0:
        exports = fields.get("exports")
        return ValidateResult(valid=True, exports=exports if isinstance(exports, dict) else None)
    if valid is False and code == 1:
        return ValidateResult(valid=False, error=str(fields.get("error") or "the script can't be loaded"))
    return _no_answer(f"the executor answered valid={valid!r} to --validate, but ended with exit code {code}")


def _no_answer(error: str) -> ValidateResult:
    return ValidateResult(valid=False, error=error, started=False)
