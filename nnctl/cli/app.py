"""The tree of commands. Each has a module of its name, which imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nnctl import __version__
from nnctl.cli.empty_paths import require_paths
from nnctl.cli.former import require_present_names
from nnctl.cli.plain import take_plainly
from nnctl.process.streams import BROKEN_PIPE

COMMANDS = (
    "init",
    "train",
    "show",
    "runs",
    "evaluate",
    "predict",
    "export",
    "gradcheck",
    "parity",
    "inspect",
    "plot",
    "explain",
    "trace",
    "bench",
    "sweep",
    "report",
    "data",
    "schema",
    "doctor",
    "completion",
)
"""Commands in the order of the help. `nnctl.cli.<name>` holds the function `<name>`, or `app` for a tree of its own."""
HIDDEN = ("complete",)
"""Commands for programs, left out of the help."""


class Root(TyperGroup):
    """The root of the tree."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands in the order of `COMMANDS`; Typer's puts sub-trees first."""
        order = {name: place for place, name in enumerate(COMMANDS)}
        return sorted(self.commands, key=lambda name: order.get(name, len(order)))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse empty paths and former names of options, whatever the command."""
        require_present_names(args)
        require_paths(self, ctx, args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command, its log on stderr. A reader that has gone is not Typer's exit code 1."""
        # Here and not above: `nnctl --help` does without `logging`.
        from nnctl.cli import log_handler
        from nnctl.process.memory import require_address_space

        log_handler.show()
        require_address_space()
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise typer.Exit(BROKEN_PIPE) from None


def command(arguments: Sequence[str] = ()) -> Any:
    """The tree as Typer's command object; `.main(args)` runs it, `.commands` are its branches.

    arguments: those that it is made for; where they begin with a command it has no other: each takes its time to make.
    """
    # Without rich's boxes help is twice as fast, and reads the same in a pipe.
    app = typer.Typer(
        cls=Root,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    names = (*COMMANDS, *HIDDEN)
    for name in arguments[:1] if arguments and arguments[0] in names else names:
        module = import_module(f"nnctl.cli.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name=name, hidden=name in HIDDEN)(getattr(module, name))
    return take_plainly(typer.main.get_command(app))


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"nnctl {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Turn a declarative YAML spec into a trained neural network."""
