"""``--validate`` of a foreign executor: its answer must agree with its exit code."""

from __future__ import annotations

import pytest

from quarry.runtime import validate_script

CASES = [
    ("good", True, True, ""),
    ("broken", False, True, "it is broken"),
    ("liar", False, False, "ended with exit code 1"),
    ("mute", False, False, "exit code 7 and no answer"),
]


@pytest.mark.clause("IPC-14")
@pytest.mark.parametrize(("script", "valid", "started", "words"), CASES)
async def test_answers(foreign, script, valid, started, words):
    """Valid, invalid, and no usable answer are three things."""
    result = await validate_script(script, executor=foreign)
    assert (result.valid, result.started) == (valid, started)
    assert words in result.error


async def test_executor_that_cannot_start(tmp_path):
    """An executor that can't be executed could not be started."""
    path = tmp_path / "odd"
    path.write_text("#!/nonexistent\n")
    path.chmod(0o755)
    result = await validate_script("x", executor=str(path))
    assert (result.valid, result.started) == (False, False)
    assert "could not be started" in result.error
