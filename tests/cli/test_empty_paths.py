"""An empty word in the place of a path, as an unset variable of a shell leaves it: refused by every command."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from nnctl.cli import main
from nnctl.cli.app import command


def leaves(branch: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that takes something itself, with the words that call it."""
    if branch.callback is not None and words and not branch.hidden:
        yield words, branch
    for name, below in getattr(branch, "commands", {}).items():
        yield from leaves(below, (*words, name))


def lines() -> Iterator[tuple[str, ...]]:
    """A command line for each parameter that is a path, empty; in front of it stand words for what comes first."""
    for words, leaf in leaves(command()):
        hints = get_type_hints(inspect.unwrap(leaf.callback))
        arguments = [each for each in leaf.params if each.param_type_name == "argument"]
        for parameter in leaf.params:
            if Path not in (hints[parameter.name], *get_args(hints[parameter.name])):
                continue
            if parameter in arguments:
                yield *words, *["x"] * arguments.index(parameter), ""
            else:
                yield *words, *["x"] * len(arguments), f"{max(parameter.opts, key=len)}="


def test_an_empty_path_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    called = set()
    for line in lines():
        assert main(line) == 2, line
        assert capsys.readouterr().err.partition("\n")[0].endswith("is empty, and a path belongs there"), line
        called.add(line[0])
    assert {"report", "runs", "train", "plot", "sweep", "init", "export", "trace"} <= called


@pytest.mark.parametrize(
    "line", [("explain", ""), ("data", "show", ""), ("sweep", "x", "--export", ""), ("report", "x", ""), ("runs", "")]
)
def test_so_it_is_where_another_word_might_stand(line: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line) == 2
    assert "is empty, and a path belongs there\n  . is the working folder" in capsys.readouterr().err


def test_other_empty_words_are_those_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "no-such.yaml", "--under", ""]) == 2
    assert "no-such.yaml: no such file" in capsys.readouterr().err
    assert main(["runs", "no-such", "--where="]) == 2
    assert "a path belongs there" not in capsys.readouterr().err
