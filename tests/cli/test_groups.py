"""Groups of options: a command's parameter that is an object, whose fields are options like any others."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Annotated

import pytest
import typer

import nnctl.cli
from nnctl.cli.groups import grouped
from nnctl.late import dataclass

MOST = 11
"""Parameters of a command before some of them belong together."""


@dataclass(frozen=True)
class Size:
    """Two options."""

    width: Annotated[int, typer.Option("--width", metavar="N", min=1)] = 8
    names: Annotated[list[str] | None, typer.Option("--name")] = None


def command() -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @grouped
    def draw(
        what: Annotated[str, typer.Argument()], *, size: Size, quiet: Annotated[bool, typer.Option("--quiet")] = False
    ) -> None:
        """Draw."""
        typer.echo(f"{what} {size} {quiet}")

    return app


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("a", "a Size(width=8, names=None) False"),
        ("a --name x --name y --width 3 --quiet", "a Size(width=3, names=['x', 'y']) True"),
        ("--quiet --width=2 a", "a Size(width=2, names=None) True"),
    ],
)
def test_the_fields_of_a_group_are_options(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command()(words.split())
    assert ended.value.code in (0, None)
    assert capsys.readouterr().out == said + "\n"


def test_a_value_out_of_its_bounds_is_named_by_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command()(["a", "--width", "0"])
    assert ended.value.code == 2
    assert "--width" in capsys.readouterr().err


def test_options_stand_in_the_order_of_parameters_and_fields() -> None:
    shown = typer.main.get_command(command())
    assert [parameter.name for parameter in shown.params][:4] == ["what", "width", "names", "quiet"]
    assert shown.help == "Draw."


def test_two_groups_with_one_option_are_refused() -> None:
    def twice(one: Size, other: Size) -> None: ...

    with pytest.raises(ValueError, match="duplicate parameter name: 'width'"):
        grouped(twice)


def test_no_command_has_more_parameters_than_a_reader_holds() -> None:
    for file in Path(nnctl.cli.__file__).parent.glob("*.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                count = len(node.args.args) + len(node.args.kwonlyargs)
                assert count <= MOST, f"{file.name}: {node.name} has {count}: see nnctl/cli/groups.py"
