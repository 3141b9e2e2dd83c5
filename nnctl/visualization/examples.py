"""Examples of a run's data that a picture is made of, and the words on them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.signature import DataSignature
from nnctl.data.dataset import Dataset, Split
from nnctl.errors import UsageError
from nnctl.figures.scales import number
from nnctl.late import dataclass


@dataclass(frozen=True, eq=False)
class Chosen:
    """Consecutive examples of a split: their inputs (n, …) as the data has them, their targets, and a name of each."""

    inputs: NDArray[Any]
    targets: NDArray[Any]
    names: tuple[str, ...]


def chosen(data: Dataset, split: str | None = None, first: int = 0, count: int = 1) -> Chosen:
    """At most `count` examples of a split from the `first` on, counted from 0. Raises UsageError."""
    name, part = part_of(data, split)
    if not 0 <= first < len(part):
        raise UsageError(f"--example {first}: the {name} split has {len(part):,} examples, counted from 0")
    rows = slice(first, min(first + count, len(part)))
    names = tuple(f"{name} {number}" for number in range(rows.start, rows.stop))
    return Chosen(np.asarray(part.inputs[rows]), part.targets[rows], names)


def part_of(data: Dataset, split: str | None, *, first: tuple[str, ...] = ("test", "validation")) -> tuple[str, Split]:
    """A split and its name; if None the first of `first` that there is, or the training set. Raises UsageError."""
    name = split or next((each for each in first if each in data.splits), "train")
    if name not in data.splits:
        raise UsageError(f"--split {name}: this data has no such split\n  it has {', '.join(data.splits)}")
    return name, data.splits[name]


def told(signature: DataSignature, target: NDArray[Any]) -> str:
    """The target of one example in words: its class, its value; nothing where it has many."""
    if np.ndim(target):
        return f"target {number(float(target[0]))}" if target.shape == (1,) else ""
    if signature.classes is None:
        return f"target {number(float(target))}"
    return f"class {signature.classes[int(target)]}" if target >= 0 else "its label left out"
