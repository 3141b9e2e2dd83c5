"""Docstrings say first what a thing is: they begin with its noun, or with the verb of what it does."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = [folder for name in ("nnctl", "benchmarks", "scripts") if (folder := ROOT / name).is_dir()]
FILES = sorted(path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in folder.rglob("*.py"))
INTERROGATIVES = frozenset({"How", "What", "When", "Where", "Whether", "Which", "Who", "Whom", "Whose", "Why"})


def docstrings(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[int, str]]:
    """(line, text) of every docstring: of modules, classes, functions, and under names that are assigned."""
    for statement in node.body:
        match statement:
            case ast.Expr(value=ast.Constant(value=str() as text)):
                yield statement.lineno, text
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from docstrings(statement)


def interrogative(source: str) -> list[str]:
    """Docstrings that begin with an interrogative, each with its line."""
    lines = docstrings(ast.parse(source))
    return [f"{line}: {text}" for line, text in lines if text.split(maxsplit=1)[0].rstrip(",:") in INTERROGATIVES]


@pytest.mark.parametrize("path", FILES)
def test_docstrings_begin_with_a_noun(path):
    assert interrogative((ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        '"""What this module is for."""',
        'class Thing:\n    """How it works."""',
        'class Thing:\n    def of(self):\n        """Whether it is one."""',
        'def thing():\n    """Where it lies."""',
        'SIZE = 1\n"""Which size."""',
    ],
)
def test_questions_are_found(source):
    assert len(interrogative(source)) == 1


def test_nouns_and_verbs_pass():
    assert (
        interrogative('"""Whatever ends. What follows is no first word."""\ndef thing():\n    """The thing."""\n') == []
    )
