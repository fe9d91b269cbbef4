"""Help texts, and what they cost."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quarry.cli.app import make_app
from quarry.cli.root_help import COMMANDS
from quarry.config.options import OPTIONS
from tests.cli.commands import quarry

HEAVY = (
    "pydantic",
    "ruamel",
    "rich",
    "pyarrow",
    "msgspec",
    "celery",
    "kombu",
    "redis",
    "structlog",
    "playwright",
    "curl_cffi",
)


def seconds(argv: list[str], cwd: Path) -> float:
    start = time.perf_counter()
    subprocess.run(argv, cwd=cwd, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


@pytest.mark.clause("CLI-02")
def test_help_takes_at_most_six_times_a_bare_interpreter(work):
    """Median of pairs measured one after the other; a busy machine gets three tries."""
    root = Path(__file__).resolve().parents[2]
    bare = [sys.executable, "-c", "pass"]
    helped = [
        sys.executable,
        "-c",
        "import sys; sys.argv[1:] = ['--help']; from quarry.cli import main; sys.exit(main())",
    ]
    ratios = []
    for _ in range(3):
        pairs = [(seconds(helped, root), seconds(bare, root)) for _ in range(9)]
        ratios.append(statistics.median(h for h, _ in pairs) / statistics.median(b for _, b in pairs))
        if ratios[-1] <= 6:
            break
    print(f"quarry --help: {min(ratios):.2f} times a bare interpreter")
    assert min(ratios) <= 6, ratios


@pytest.mark.clause("CLI-02")
@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["-h"], ["--version"], ["run", "--help"], ["inspect", "--help"], ["list", "runs", "--help"]],
)
def test_help_loads_nothing_heavy(work, arguments):
    """Nor does a command's own help."""
    code = (
        "import sys\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "from quarry.cli import main\n"
        "code = main()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (0, "[]")


@pytest.mark.clause("CLI-01")
def test_root_help_names_every_command_and_every_way_to_ask_says_the_same(work):
    """With and without click."""
    told = quarry("--help", cwd=work)
    assert told.code == 0
    assert all(f"  {name} " in told.out for name in COMMANDS)
    assert quarry("-h", cwd=work).out == told.out
    assert make_app().get_help(make_app().make_context("quarry", ["version"])).strip() == told.out.strip()


@pytest.mark.clause("CLI-01")
def test_run_help_names_every_flag_with_its_default(work):
    """The help text follows the table of options."""
    told = quarry("run", "--help", cwd=work, env={"COLUMNS": "200"})
    words = " ".join(told.out.split())
    for option in OPTIONS:
        if option.flag:
            assert option.flag in words
            assert " ".join(option.help.split()) in words
            assert not option.default or f"[default: {option.default}]" in words


@pytest.mark.clause("CLI-01")
def test_version_shows_both_versions(work):
    """As a document and as text."""
    from quarry import CONTRACT_VERSION, __version__

    document = quarry("version", cwd=work).document
    assert (document["version"], document["contract_version"]) == (__version__, CONTRACT_VERSION)
    text = quarry("version", "--format", "table", cwd=work).out
    assert __version__ in text
    assert f"contract  {CONTRACT_VERSION}" in text
    assert quarry("--version", cwd=work).out == f"{__version__}\n"
