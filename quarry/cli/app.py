"""The tree of commands. A command's module is loaded when that command is named, not before."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from quarry.cli.root_help import COMMANDS, root_help

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Lazy(NamedTuple):
    """A command that is not loaded yet: ``module:attribute``, and its line in the help text."""

    place: str
    help: str


class LazyGroup(click.Group):
    """A group whose commands are loaded on use.

    Args:
        lazy: Commands by name, in help order.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Give the names in help order."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Load a command; None where there is none of that name."""
        lazy = self._lazy.get(cmd_name)
        if lazy is None:
            return None
        module, _, attribute = lazy.place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in self._lazy.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the named command; an unknown one suggests the nearest."""
        if args and args[0] not in self._lazy and not args[0].startswith("-"):
            from quarry.config.suggest import did_you_mean

            ctx.fail(f"no such command {args[0]!r}{did_you_mean(args[0], self._lazy)}")
        return super().resolve_command(ctx, args)


class RootGroup(LazyGroup):
    """The top of the tree, with the help text that needs no click."""

    def get_help(self, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """Give the help text."""
        return root_help().rstrip("\n")


def make_app() -> click.Group:
    """Make the whole tree."""
    return RootGroup(
        "quarry",
        context_settings=_CONTEXT,
        params=[_version_flag()],
        lazy={
            name: Lazy(place, COMMANDS[name])
            for name, place in (
                ("run", "quarry.cli.run:command"),
                ("stop", "quarry.cli.stop:command"),
                ("retry", "quarry.cli.retry:command"),
                ("forget", "quarry.cli.forget:command"),
                ("inspect", "quarry.cli.app:inspect_group"),
                ("list", "quarry.cli.app:list_group"),
                ("doctor", "quarry.cli.doctor:command"),
                ("metrics", "quarry.cli.app:metrics_group"),
                ("simulate", "quarry.cli.simulate:command"),
                ("debug", "quarry.cli.app:debug_group"),
                ("version", "quarry.cli.version:command"),
            )
        },
    )


inspect_group = LazyGroup(
    "inspect",
    context_settings=_CONTEXT,
    help="Show a crawl with its lineage, one run, or a proxy pool. Changes nothing.",
    lazy={
        "crawl": Lazy("quarry.cli.inspect_crawl:command", "Show a crawl: summary, counters, lineage tree."),
        "run": Lazy("quarry.cli.inspect_run:command", "Show one run: its record, files and attempts."),
        "proxy": Lazy("quarry.cli.inspect_proxy:command", "Show a proxy pool: use and health by endpoint."),
    },
)

list_group = LazyGroup(
    "list",
    context_settings=_CONTEXT,
    help="List what a dataset, a broker or the configuration holds. Changes nothing.",
    lazy={
        "runs": Lazy("quarry.cli.list_runs:command", "List runs, the latest first."),
        "failed": Lazy("quarry.cli.list_failed:command", "List the failed jobs of a crawl, and why."),
        "crawls": Lazy("quarry.cli.list_crawls:command", "List the crawls of a broker."),
        "pools": Lazy("quarry.cli.list_pools:command", "List the proxy pools of the configuration."),
    },
)

metrics_group = LazyGroup(
    "metrics",
    context_settings=_CONTEXT,
    help="Figures of the crawls of a broker.",
    lazy={"serve": Lazy("quarry.cli.metrics_serve:command", "Serve them to Prometheus.")},
)

debug_group = LazyGroup(
    "debug",
    context_settings=_CONTEXT,
    help="Answer questions about a configuration. Changes nothing, unless --commit says so.",
    lazy={
        "resolve": Lazy("quarry.cli.app:resolve_group", "Show what a name stands for."),
    },
)

resolve_group = LazyGroup(
    "resolve",
    context_settings=_CONTEXT,
    help="Show what a name stands for. Changes nothing, unless --commit says so.",
    lazy={
        "target": Lazy("quarry.cli.debug_target:command", "Show the script that an enqueue target names."),
        "proxy": Lazy("quarry.cli.debug_proxy:command", "Show the endpoints that runs would get next."),
    },
)


def _version_flag() -> click.Option:
    def show(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's callback
        if value:
            from quarry.version import __version__

            click.echo(__version__)
            ctx.exit(0)

    return click.Option(
        ["--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=show,
        help="Show the version.",
    )
