"""Sharing: blocks of generated code that say the same about other arrays become one function.

Compiling takes longer than anything else at the start of a run, and a deep net
repeats itself: the update of its tenth layer differs from the first in names alone.
"""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_NAME = re.compile(r"(?<![\w.'\"])[A-Za-z_]\w*")
_ASSIGNED = re.compile(r"^\s*([A-Za-z_]\w*) =(?!=)|^\s*for ([A-Za-z_]\w*) in ")
_WORTH = 12
"""Lines saved from which a function compiles faster than its copies."""


@dataclass(frozen=True)
class Block:
    """Lines of one launch, indented from 0. `name`: what a function of it would be called."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Shape:
    """A block without names: equal for blocks that can share a function."""

    lines: tuple[str, ...]
    parameters: int


def share(blocks: Sequence[Block], known: Iterable[str]) -> tuple[list[str], list[tuple[str, ...]]]:
    """(lines of the functions' definitions, the lines that stand for each block).

    known: names that mean the same everywhere and need not be passed.
    """
    fixed = frozenset(known) | frozenset(keyword.kwlist)
    shapes = [_shape(block, fixed) for block in blocks]
    uses = Counter(shape for shape, _ in shapes)
    names: dict[Shape, str] = {}
    taken: Counter[str] = Counter()
    definitions: list[str] = []
    standing: list[tuple[str, ...]] = []
    for block, (shape, arguments) in zip(blocks, shapes, strict=True):
        if (uses[shape] - 1) * len(block.lines) < _WORTH:
            standing.append(block.lines)
            continue
        if shape not in names:
            base = re.sub(r"\W+", "_", block.name).strip("_") or "launch"
            taken[base] += 1
            names[shape] = f"_{base}" if taken[base] == 1 else f"_{base}_{taken[base]}"
            head = ", ".join(f"p{i}" for i in range(shape.parameters))
            definitions += [
                "@compiled",
                f"def {names[shape]}({head}):",
                *(f"    {line}" for line in shape.lines),
                "",
                "",
            ]
        standing.append((f"{names[shape]}({', '.join(arguments)})",))
    return definitions, standing


def _shape(block: Block, fixed: frozenset[str]) -> tuple[Shape, list[str]]:
    """The block with its parameters called p0, p1, … and its variables v0, v1, …, and what is passed."""
    variables = {
        name for line in block.lines for match in [_ASSIGNED.match(line)] if match for name in match.groups() if name
    }
    renamed: dict[str, str] = {}
    passed: list[str] = []

    def rename(match: re.Match[str]) -> str:
        name = match.group(0)
        if name in fixed:
            return name
        if name not in renamed:
            if name in variables:
                renamed[name] = f"v{sum(v.startswith('v') for v in renamed.values())}"
            else:
                renamed[name] = f"p{len(passed)}"
                passed.append(name)
        return renamed[name]

    lines = tuple(_NAME.sub(rename, line) for line in block.lines)
    return Shape(lines, len(passed)), passed
