"""Click's options from the table of settings, and back to texts by dotted key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from quarry.config.options import CONFIG_ENV, OPTIONS, Option, option_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

READING = ("storage.path", "storage.dataset", "output.format", "output.no_color")
"""Settings of every command that reads a dataset."""


class SectionOption(click.Option):
    """An option with the heading under which the help text lists it."""

    section = ""


class SectionCommand(click.Command):
    """A command whose help text lists its options under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, in the order and under the headings of the table."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                sections.setdefault(getattr(param, "section", "Help"), []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def make_options(keys: Iterable[str] | None = None) -> list[click.Parameter]:
    """Make the options of the given settings, or of all that have a flag, and ``--config``.

    Values stay text: the settings' own checks see them, so that all problems come at once.
    """
    chosen = list(OPTIONS) if keys is None else [option_of(key) for key in keys]
    params: list[click.Parameter] = [_make(option) for option in chosen if option.flag]
    params.append(_make_config())
    return params


def flags_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Turn click's values into texts by dotted key; what was not given is left out."""
    flags = {}
    for option in OPTIONS:
        value = values.get(_parameter_name(option))
        if value is True:
            flags[option.key] = "true"
        elif isinstance(value, str):
            flags[option.key] = value
    return flags


def _make(option: Option) -> SectionOption:
    told = f"{option.help}." + (f"  [default: {option.default}]" if option.default else "")
    names = [option.flag, _parameter_name(option)]
    if option.metavar:
        made = SectionOption(names, metavar=option.metavar, help=told)
    else:
        made = SectionOption(names, is_flag=True, default=None, help=told)
    made.section = option.section
    return made


def _make_config() -> SectionOption:
    made = SectionOption(
        ["--config", "config"],
        metavar="FILE",
        help=f"YAML file with settings; flags and QUARRY_* variables beat it. {CONFIG_ENV} names it too.",
    )
    made.section = "Configuration"
    return made


def _parameter_name(option: Option) -> str:
    return "set_" + option.key.replace(".", "_")
