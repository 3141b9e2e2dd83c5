"""A trace as data: its stages in order, and in each the quantities with their formulas and numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.late import dataclass

Array: TypeAlias = NDArray[Any]
Phase: TypeAlias = Literal["example", "forward", "cost", "backward", "regularizer", "clipping", "update"]

WHOLE = 16
"""Numbers of an array that are shown whole, each with the calculation that it comes of."""
FIRST = 3
"""Numbers that are shown of a larger one, beside its norm and its extremes."""

EQUATIONS: Mapping[str, str] = {
    "BP1": "δᴸ = ∇ₐC ⊙ σ′(zᴸ)",
    "BP2": "δˡ = ((wˡ⁺¹)ᵀ·δˡ⁺¹) ⊙ σ′(zˡ)",
    "BP3": "∂C/∂bˡⱼ = δˡⱼ",
    "BP4": "∂C/∂wˡⱼₖ = aˡ⁻¹ₖ·δˡⱼ",
}
"""The four equations of backpropagation (Nielsen, Neural Networks and Deep Learning, chapter 2)."""


@dataclass(frozen=True)
class Line:
    """One number of an array, at its index, and the numbers put into the formula that it comes of."""

    index: tuple[int, ...]
    numbers: str
    value: float


@dataclass(frozen=True, eq=False)
class Quantity:
    """An array of the step. before: its value before the update, where it is one that training changes.

    lines: of the first numbers, or of all of a small array; none of an array that is only moved. An array of one
    example has the index of that example, 0, as its first in `array` and not in `lines`.
    """

    name: str
    formula: str
    array: Array
    lines: tuple[Line, ...] = ()
    equation: str = ""
    words: str = ""
    before: Array | None = None
    of_example: bool = False

    @property
    def shown(self) -> Array:
        """The array, without the axis of the batch where it has one."""
        return self.array[0] if self.of_example and len(self.array) == 1 else self.array

    @property
    def old(self) -> Array | None:
        """The value before the update, as `shown`."""
        if self.before is None:
            return None
        return self.before[0] if self.of_example and len(self.before) == 1 else self.before


@dataclass(frozen=True, eq=False)
class Stage:
    """Quantities that are computed together, for a layer or for all of them. words: a sentence or a formula each."""

    phase: Phase
    layer: str
    title: str
    quantities: tuple[Quantity, ...]
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drawn:
    """A dense layer, for the drawing of a net: the names of its weights, and of what its units give and send back."""

    layer: str
    weight: str
    output: str
    gradient: str


@dataclass(frozen=True, eq=False)
class Trace:
    """One example's step. facts: what was traced, as plain data; words: a sentence on each of its conditions.

    dense: the layers of a net that is nothing but a chain of dense layers, else none.
    """

    facts: Mapping[str, Any]
    words: tuple[str, ...]
    stages: tuple[Stage, ...]
    dense: tuple[Drawn, ...] = field(default=())

    def array(self, name: str) -> Array:
        """The first quantity of a name. Raises KeyError where there is none."""
        for stage in self.stages:
            for quantity in stage.quantities:
                if quantity.name == name:
                    return quantity.array
        raise KeyError(name)

    def rows(self, *, whole: bool = False) -> list[dict[str, Any]]:
        """A row of plain data for each quantity. whole: with every number of every array."""
        return [
            {
                "stage": number,
                "phase": stage.phase,
                "layer": stage.layer,
                "name": quantity.name,
                "equation": quantity.equation or None,
                "formula": quantity.formula,
                "words": quantity.words or None,
                "numbers": [[list(line.index), line.numbers, line.value] for line in quantity.lines],
                **_contents(quantity, whole),
            }
            for number, stage in enumerate(self.stages, 1)
            for quantity in stage.quantities
        ]

    def data(self, *, whole: bool = False) -> dict[str, Any]:
        """All of it as plain data."""
        stages = [
            {"stage": number, "phase": stage.phase, "layer": stage.layer, "title": stage.title, "words": stage.words}
            for number, stage in enumerate(self.stages, 1)
        ]
        equations = [{"name": name, "formula": formula} for name, formula in EQUATIONS.items()]
        head = {**self.facts, "words": self.words, "equations": equations, "stages": stages}
        return {**head, "quantities": self.rows(whole=whole)}


def _contents(quantity: Quantity, whole: bool) -> dict[str, Any]:
    array, old = quantity.shown, quantity.old
    row: dict[str, Any] = {
        "shape": list(array.shape),
        "values": array.tolist() if whole or array.size <= WHOLE else None,
    }
    row |= summary(array)
    if old is not None:
        both = whole or array.size <= WHOLE
        row |= {"before": old.tolist() if both else None, "change": (array - old).tolist() if both else None}
        row["change_norm"] = summary(array - old)["norm"]
    return row


def summary(array: Array) -> dict[str, float | None]:
    """Norm and extremes of an array; None where it has no number."""
    if not array.size:
        return {"norm": None, "min": None, "max": None}
    values = array.astype(np.float64)
    largest = float(np.max(np.abs(values)))
    scaled = values / largest if 0.0 < largest < math.inf else values
    norm = float(np.sqrt(np.sum(np.square(scaled)))) * (largest if 0.0 < largest < math.inf else 1.0)
    return {"norm": norm, "min": float(values.min()), "max": float(values.max())}


def places(array: Array) -> list[tuple[int, ...]]:
    """Indices of the numbers that are shown: all of a small array, of a larger one the first that are not 0."""
    if array.size <= WHOLE:
        chosen: Sequence[int] = range(array.size)
    else:
        chosen = [int(place) for place in np.flatnonzero(array)[:FIRST]] or range(FIRST)
    return [tuple(int(i) for i in np.unravel_index(flat, array.shape)) for flat in chosen]
