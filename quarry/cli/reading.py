"""What the commands that read share: settings, a dataset that is there, not-found messages."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from quarry.config.load import Inputs, load_settings
from quarry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from quarry.cli.styles import Styles
    from quarry.config.settings import Settings
    from quarry.lode import Reader


class NotFoundError(click.ClickException):
    """There is no such dataset, crawl, run or target: exit code 1."""

    exit_code = 1


def load_reading(flags: Mapping[str, str], config: str | None) -> Settings:
    """Load the settings of a command that reads.

    Raises:
        ConfigError: With every problem.
    """
    loaded = load_settings(
        Inputs(flags=flags, config=config, environment=os.environ, cwd=os.getcwd(), run=False)
    )
    from quarry.cli.messages import say

    for warning in loaded.warnings:
        say(f"warning: {warning}")
    return loaded.settings


def open_dataset(settings: Settings) -> Reader:
    """Open the dataset for reading; nothing is made.

    Raises:
        NotFoundError: There is no such dataset.
    """
    import quarry.lode
    from quarry.lode.layout import build_dataset

    if not os.path.isdir(os.path.join(settings.storage_path, build_dataset(settings.dataset))):
        raise NotFoundError(
            f"there is no dataset {settings.dataset!r} in {settings.storage_path};"
            " name its place with --storage-path and --dataset"
        )
    return quarry.lode.open(settings.storage_path, settings.dataset)


def check_limit(flag: str, text: str | None, *, default: int | None, zero_is_all: bool = True) -> int | None:
    """Check a number of things to show.

    Returns:
        The number; None is no limit.

    Raises:
        ConfigError: It is no whole number of 0 or more.
    """
    from quarry.config.values import integer_between

    if text is None:
        return default
    try:
        number = integer_between(0)(text)
    except ValueError as error:
        raise ConfigError(f"{flag}: {error}, not {text!r}") from error
    return None if zero_is_all and number == 0 else number


def show(settings: Settings, document: Any, lines_of: Callable[[Styles], list[str]]) -> None:
    """Write a result in the format that the user chose.

    Args:
        settings: Its format and colours.
        document: Of JSON's types.
        lines_of: Makes the text for people.
    """
    from quarry.cli.output import choose_format, is_terminal, write_document, write_text
    from quarry.cli.styles import Styles

    form = choose_format(settings.format)
    if form == "table":
        write_text("\n".join(lines_of(Styles(color=settings.color and is_terminal(sys.stdout)))) + "\n")
    else:
        write_document(document, form)
