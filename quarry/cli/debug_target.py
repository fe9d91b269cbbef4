"""``quarry debug resolve target``."""

from __future__ import annotations

import os
from typing import Any

import click

from quarry.cli.flags import SectionCommand, flags_of, make_options


def debug_target(**values: Any) -> int:
    """Resolve a target as a crawl would."""
    from quarry.cli.reading import load_reading, show
    from quarry.cli.visible import visible
    from quarry.crawl.targets import resolve

    settings = load_reading(flags_of(values), values["config"])
    cwd = os.getcwd()
    emitter = values["emitter"]
    emitter_dir = os.path.dirname(os.path.join(cwd, emitter)) if emitter else cwd
    # As in a crawl whose first script is the emitting one.
    root = settings.scripts_root if settings.scripts_root != cwd or not emitter else emitter_dir
    found = resolve(
        values["target"],
        emitter_dir=emitter_dir,
        scripts_root=root,
        scripts={name: entry.path for name, entry in settings.scripts.items()},
        cwd=cwd,
    )
    document = {"target": values["target"], **found._asdict(), "scripts_root": root}
    lines = [
        f"target        {visible(values['target'])}",
        f"script        {visible(found.path or 'not found')}",
        f"name in key   {visible(found.key_name)}{' (logical name)' if found.logical else ''}",
        f"scripts root  {visible(root)}",
    ]
    if found.problem:
        lines.append(f"problem       {visible(found.problem)}")
    show(settings, document, lambda _styles: lines)
    return 0 if found.path else 1


command = SectionCommand(
    "target",
    callback=debug_target,
    help=("Show which script TARGET names, and how job keys write it. Exit code 1 if it can't be resolved."),
    params=[
        click.Argument(["target"], metavar="TARGET"),
        click.Option(
            ["--from", "emitter"], metavar="SCRIPT", help="The script that would emit it.  [default: none]"
        ),
        *make_options(["output.format", "output.no_color"]),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
