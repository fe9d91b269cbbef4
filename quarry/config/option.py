"""What is known of one setting."""

from __future__ import annotations

from typing import NamedTuple


class Option(NamedTuple):
    """One setting.

    Attributes:
        key: Dotted key in the configuration file; the name of the setting everywhere.
        flag: Flag of ``quarry run``; empty where there is none.
        metavar: What stands for the value in help texts; empty for a switch.
        help: What it does, with unit and bounds; one sentence, no full stop.
        default: As people read it; empty where leaving it out means "none".
        env: Environment variable; empty where the environment can't set it.
        in_file: Whether the configuration file may set it.
        path: Whether the value names a file or folder: relative to the configuration file's folder when it
            comes from there, else to the working directory.
        section: Heading in the help text.
        secret: Whether the value may hold a secret: no message repeats it.
    """

    key: str
    flag: str
    metavar: str
    help: str
    default: str = ""
    env: str = ""
    in_file: bool = True
    path: bool = False
    section: str = "Job"
    secret: bool = False
