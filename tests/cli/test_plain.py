"""Values that commands take plainly: the same as Typer takes, and its words where it takes none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from nnctl.cli.app import command
from nnctl.cli.plain import take_plainly

VALUES = (None, "", "a", "7", "-1", "1.5", "1_0", "0", "９", ["a", "7"], [], ("2", "-3"), 3, 2.5, Path("runs"))


def parameters(branch: Any) -> Iterator[Any]:
    yield from branch.params
    for inner in getattr(branch, "commands", {}).values():
        yield from parameters(inner)


def outcome(conversion: Any, value: Any, parameter: Any) -> Any:
    try:
        made = conversion.coerce(value, param=parameter, ctx=None)
    except (typer.BadParameter, AssertionError, TypeError, ValueError) as error:
        return type(error), str(getattr(error, "message", error))
    return type(made), made


@pytest.mark.skipif(version("typer").startswith(("0.27.", "0.28.")), reason="this Typer converts values otherwise")
@pytest.mark.parametrize("place", [None, "folder", "readable", "locked"])
def test_a_parameter_takes_what_typer_takes(place: str | None, tmp_path: Path) -> None:
    from typer._coercion import build_runtime_param

    values: tuple[Any, ...] = VALUES
    if place is not None:
        path = tmp_path / place
        path.mkdir() if place == "folder" else path.write_text("")
        if place == "locked":
            os.chmod(path, 0)
        values = (str(path), path, [str(path)])
    seen: dict[Any, Any] = {}
    for parameter in parameters(command()):
        asked = parameter.type_descriptor
        seen.setdefault((str(asked.annotation), asked.parameter_info.min, asked.parameter_info.max), parameter)
    assert len(seen) > 8
    for parameter in seen.values():
        typers = build_runtime_param(parameter.type_descriptor)
        for value in values:
            wanted = outcome(typers, value, parameter)
            assert outcome(parameter.get_runtime_param(), value, parameter) == wanted, (parameter.name, value)


@pytest.mark.parametrize("missing", ["_runtime_param", "type_descriptor"])
def test_parameters_of_a_typer_without_these_parts_are_left_to_it(missing: str) -> None:
    """As Typer's before 0.29, whose values no pydantic converts."""
    parts = {"_runtime_param": None, "type_descriptor": "typers"}
    parameter = SimpleNamespace(**{name: part for name, part in parts.items() if name != missing})
    before = vars(parameter).copy()
    whole = SimpleNamespace(
        name="whole",
        context_class=lambda *given, **named: None,
        context_settings={},
        get_params=lambda context: [parameter],
        commands={},
    )
    assert take_plainly(whole) is whole
    assert vars(parameter) == before
