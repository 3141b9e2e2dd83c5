"""Layouts: the names, the shapes and the order that a library gives to the arrays of a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.components.base import Layer
from nnctl.errors import UsageError
from nnctl.late import dataclass

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
"""Arrays of one layer by their names without the layer's."""


WEIGHTS = ("weight", "bias")
CELL = ("weight", "recurrent_weight", "bias", "recurrent_bias")
"""Arrays of a layer with weights, and of a recurrent cell."""


@dataclass(frozen=True)
class There:
    """An array as another library has it.

    of: names of the layer's arrays that it is made of. how: what was done to them, in words; empty where nothing was.
    """

    array: NDArray[Any]
    of: tuple[str, ...] = ()
    how: str = ""


Give: TypeAlias = Callable[[Any, Arrays], dict[str, There]]
"""A layer's arrays turned to theirs, in the order in which the library lists them: (layer, arrays)."""
Take: TypeAlias = Callable[[Any, Arrays, Arrays], dict[str, NDArray[Any]]]
"""Theirs turned to a layer's: (layer, theirs, arrays of the shapes that are wanted)."""


@dataclass(frozen=True)
class Rule:
    """The two ways of one type of layer, whose arrays here have the names `of`; a cell's, without its direction."""

    of: tuple[str, ...]
    give: Give
    take: Take


@dataclass(frozen=True)
class Layout:
    """A library's layout. library: its name for people. rules: by class of layer; an heir may compute something else.

    channels_first: whether maps have their channels before their axes, so that a flattened map has another order.
    ignored: arrays in its files that say nothing of what a net computes.
    """

    library: str
    rules: Mapping[type[Layer], Rule]
    channels_first: bool = False
    ignored: tuple[str, ...] = ()

    def give(self, layer: Layer, ours: Arrays) -> dict[str, There]:
        """A layer's arrays as the library has them. Raises UsageError where it has no such layer."""
        return self._rule(layer, ours).give(layer, ours)

    def take(self, layer: Layer, theirs: Arrays, wanted: Arrays) -> dict[str, NDArray[Any]]:
        """A layer's arrays from the library's, those that `give` would make. Raises UsageError where they say more."""
        return self._rule(layer, wanted).take(layer, theirs, wanted)

    def _rule(self, layer: Layer, ours: Arrays) -> Rule:
        if (rule := self.rules.get(type(layer))) is None:
            raise UsageError(f"{self.library} has no layer of type {layer.type}")
        if unknown := sorted({name for name in ours if name.rpartition(".")[2] not in rule.of}):
            raise UsageError(f"{self.library}'s layer has no place for its {unknown[0]}")
        return rule


def renamed(**names: str) -> Rule:
    """The rule of a layer whose arrays differ by their names alone: ours=theirs."""

    def give(layer: Any, ours: Arrays) -> dict[str, There]:
        return {there: There(ours[name], (name,)) for name, there in names.items() if name in ours}

    def take(layer: Any, theirs: Arrays, wanted: Arrays) -> dict[str, NDArray[Any]]:
        return {name: theirs[names[name]] for name in wanted}

    return Rule(tuple(names), give, take)


def of_last_axes(rule: Rule, library: str) -> Rule:
    """The rule of a layer norm for axes that are the last ones, without others between them."""

    def give(layer: Any, ours: Arrays) -> dict[str, There]:
        if any(array.ndim != len(layer.axes) for array in ours.values()):
            raise UsageError(f"a layer norm over axes {list(layer.axes)} has no words in {library}'s layout")
        return rule.give(layer, ours)

    return Rule(rule.of, give, rule.take)


def directions(layer: Any) -> dict[str, str]:
    """Beginnings of the names of a recurrent layer's arrays, for each of its cells, and the word for its direction."""
    return {"forward.": "forward", "backward.": "backward"} if layer.bidirectional else {"": ""}


def joined_biases(first: NDArray[Any], *others: NDArray[Any]) -> NDArray[Any]:
    """The one bias that does what several do together."""
    return np.sum([first, *others], axis=0, dtype=np.float64).astype(first.dtype)
