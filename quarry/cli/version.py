"""``quarry version``."""

from __future__ import annotations

import sys
from typing import Any

from quarry.cli.flags import SectionCommand, flags_of, make_options
from quarry.version import CONTRACT_VERSION, __version__


def version(**values: Any) -> int:
    """Show both versions."""
    from quarry.cli.output import choose_format, write_document, write_text
    from quarry.cli.reading import load_reading

    settings = load_reading(flags_of(values), values["config"])
    form = choose_format(settings.format)
    if form == "table":
        write_text(
            f"quarry    {__version__}\ncontract  {CONTRACT_VERSION}\npython    {sys.version.split()[0]}\n"
        )
    else:
        document = {
            "version": __version__,
            "contract_version": CONTRACT_VERSION,
            "python": sys.version.split()[0],
        }
        write_document(document, form)
    return 0


command = SectionCommand(
    "version",
    callback=version,
    help="Show the versions of Quarry, of its contract and of Python.",
    params=make_options(["output.format"]),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
