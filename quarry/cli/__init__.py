"""The command line. Importing this loads nothing: ``main`` does."""

from __future__ import annotations


def main() -> int:
    """Run ``quarry`` with the arguments of this process.

    Returns:
        The exit code (docs/exit-codes.md).
    """
    import sys

    arguments = sys.argv[1:]
    if arguments in (["--help"], ["-h"]):
        # Answered here, before click is loaded: that alone would take longer than three interpreter starts.
        from quarry.cli.root_help import root_help

        sys.stdout.write(root_help())
        return 0
    from quarry.cli.entry import run_command

    return run_command(arguments)
