"""``quarry doctor``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from quarry.cli.flags import SectionCommand, flags_of, make_options

if TYPE_CHECKING:
    from quarry.cli.styles import Styles
    from quarry.redisio import Finding

EXIT_BROKEN = 1

_KEYS = ("broker", "storage.path", "output.format", "output.no_color")


def doctor(**values: Any) -> int:
    """Look at everything that a crawl needs, and say how to mend what is wrong."""
    from quarry.cli.examination import examine
    from quarry.cli.messages import say
    from quarry.cli.reading import show
    from quarry.config.load import Inputs, load_settings

    loaded = load_settings(
        Inputs(
            flags=flags_of(values),
            config=values["config"],
            environment=os.environ,
            cwd=os.getcwd(),
            run=False,
        )
    )
    for warning in loaded.warnings:
        say(f"warning: {warning}")
    found = examine(loaded.settings, given=loaded.given, environ=os.environ)
    show(loaded.settings, document_of(found), lambda styles: lines_of(found, styles))
    sys.stdout.flush()
    return EXIT_BROKEN if _number(found, "broken") else 0


def document_of(found: list[Finding]) -> dict[str, Any]:
    """Give the findings as a document; ``ok`` is what the exit code says."""
    return {
        "ok": _number(found, "broken") == 0,
        "broken": _number(found, "broken"),
        "warnings": _number(found, "warning"),
        "findings": [
            {"check": f.check, "severity": f.severity.value, "what": f.what, "mend": f.mend or None}
            for f in found
        ],
    }


def lines_of(found: list[Finding], styles: Styles) -> list[str]:
    """Give the findings as text: a line each, and below it how to mend it."""
    from quarry.cli.visible import visible

    marks = {
        "ok": styles.good("ok     "),
        "warning": styles.strong("warning"),
        "broken": styles.bad("broken "),
    }
    width = max(len(finding.check) for finding in found)
    lines = []
    for finding in found:
        lines.append(f"{marks[finding.severity]}  {finding.check:<{width}}  {visible(finding.what)}")
        if finding.mend:
            lines.append(f"{'':<9}{'':<{width}}  to mend it: {visible(finding.mend)}")
    broken, warnings = _number(found, "broken"), _number(found, "warning")
    verdict = "all is well" if not broken and not warnings else f"{broken} broken, {warnings} to think about"
    return [*lines, "", verdict]


def _number(found: list[Finding], severity: str) -> int:
    return sum(finding.severity == severity for finding in found)


command = SectionCommand(
    "doctor",
    callback=doctor,
    help="Check broker, storage, browser, scripts root and versions, and say how to mend what is wrong."
    " Exit code 1 where something is broken.",
    params=make_options(_KEYS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
