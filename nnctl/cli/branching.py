"""Commands that are trees, too: `nnctl sweep SPEC` beside `nnctl sweep show DIR`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class Branching(TyperGroup):
    """A command with arguments of its own, whose first word may name a command below it instead.

    A file of such a name is `./name`, or comes behind `--`.
    """

    allow_extra_args = False
    allow_interspersed_args = True

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Leave a line that begins with the name of a command below to that command."""
        if args and args[0] in self.commands:
            ctx.args = list(args)
            return ctx.args  # type: ignore[no-any-return]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command below that the line names, else this one."""
        if not ctx.args:
            return super().invoke(ctx)
        name, command, args = self.resolve_command(ctx, ctx.args)
        assert command is not None
        # Beside this one: in the usage its own arguments do not stand before the name.
        with ctx, command.make_context(f"{ctx.info_name} {name}", args, parent=ctx.parent) as below:
            return command.invoke(below)
