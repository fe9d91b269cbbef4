"""The help text of ``quarry`` itself, made without click: it answers in a few interpreter starts."""

from __future__ import annotations

COMMANDS = {
    "run": "Run a script; with --depth, --max-runs or --seeds a crawl.",
    "stop": "Stop a crawl: finish what runs, execute nothing more.",
    "retry": "Start a crawl of another crawl's failed jobs.",
    "forget": "Remove what the broker keeps of an ended crawl.",
    "inspect": "Show a crawl with its lineage, one run, or a proxy pool.",
    "list": "List runs, failed jobs, crawls of a broker, or proxy pools.",
    "doctor": "Check broker, storage, browser and scripts.",
    "metrics": "Serve figures to Prometheus.",
    "simulate": "Say what a crawl of a given size needs.",
    "debug": "Answer questions about a configuration.",
    "version": "Show the versions of Quarry and of its contract.",
}
"""The commands, in help order."""

_TEXT = """\
Usage: quarry [OPTIONS] COMMAND [ARGS]...

  Crawl: one script, the work that it discovers, and a dataset in which every
  row has its run and every run its outcome.

  To begin: quarry run SCRIPT URL --depth 2 --max-runs 100

Options:
  --version   Show the version.
  -h, --help  Show this message.

Commands:
{commands}

quarry COMMAND --help says more.
"""


def root_help() -> str:
    """Give the help text."""
    width = max(map(len, COMMANDS)) + 2
    return _TEXT.format(commands="\n".join(f"  {name:<{width}}{told}" for name, told in COMMANDS.items()))
