"""The arrays of a whole net turned to the layout of a library, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.components.layers.dense import Dense
from nnctl.components.signature import DataSignature
from nnctl.errors import UsageError
from nnctl.graph.calls import LayerCall, layer_calls
from nnctl.late import dataclass
from nnctl.spec.document import Spec
from nnctl.weights.feature_order import Order, feature_orders, ordered
from nnctl.weights.keras_layout import KERAS
from nnctl.weights.layout import Arrays, Layout, There
from nnctl.weights.torch_layout import TORCH

OWN = "nnctl"
LAYOUTS: Mapping[str, Layout | None] = {"torch": TORCH, "keras": KERAS, OWN: None}
"""Layouts by the words that specs and the command line have for them; our own has nothing to turn."""

Wanted: TypeAlias = Mapping[str, tuple[int, ...]]
"""Shapes of the arrays of a net, by their names."""


@dataclass(frozen=True)
class WeightedLayers:
    """The layers of a net that have arrays, in its order, beside what stands for them in a layout.

    orders: of the features that a layer reads, by its path, where they are in another order there.
    """

    calls: Mapping[str, LayerCall]
    layout: Layout | None
    orders: Mapping[str, Order]

    def give(self, path: str, arrays: Arrays) -> dict[str, There]:
        """The arrays there of the layer at a path, by their names without the layer's. Raises UsageError.

        arrays: of the whole net, by their names here.
        """
        call = self.calls[path]
        own = {name: arrays[f"{path}.{name}"] for name in call.arrays}
        if self.layout is None:
            return {name: There(array, (name,)) for name, array in own.items()}
        order = self.orders.get(path)
        with _at(path):
            if isinstance(call.layer, Dense) and call.layer.tied_to is not None:
                raise UsageError(
                    f"its weights are those of '{call.layer.tied_to}', which {self.layout.library} cannot say"
                )
            theirs = self.layout.give(call.layer, ordered(call, own, order))
        if order is None:
            return theirs
        return {name: _said(call, there) for name, there in theirs.items()}

    def take(self, path: str, theirs: Arrays, wanted: Wanted) -> dict[str, NDArray[Any]]:
        """Arrays of the layer at a path, by their names in the net, from those there, which `give` would make."""
        call = self.calls[path]
        own = {name: np.empty(wanted[f"{path}.{name}"], np.float32) for name in call.arrays}
        if self.layout is None:
            taken = {name: theirs[name] for name in own}
        else:
            with _at(path):
                taken = self.layout.take(call.layer, theirs, own)
            if (order := self.orders.get(path)) is not None:
                taken = ordered(call, taken, np.argsort(order))
        return {f"{path}.{name}": array for name, array in taken.items()}

    def expected(self, path: str, wanted: Wanted) -> dict[str, tuple[int, ...]]:
        """Shapes of the arrays there of the layer at a path, in the order in which the library lists them."""
        zeros = {f"{path}.{n}": np.zeros(wanted[f"{path}.{n}"], np.float32) for n in self.calls[path].arrays}
        return {name: there.array.shape for name, there in self.give(path, zeros).items()}


def weighted_layers(spec: Spec, signature: DataSignature, layout: Layout | None) -> WeightedLayers:
    """The layers of a settled spec's net that have arrays. Raises UsageError where an order has no words."""
    calls = layer_calls(spec, signature)
    first = layout is not None and layout.channels_first
    orders = feature_orders(calls, layout.library) if layout is not None and first else {}
    return WeightedLayers({call.path: call for call in calls if call.arrays}, layout, orders)


def _said(call: LayerCall, there: There) -> There:
    """With words on the order of features, of an array that has them."""
    if not there.of or (isinstance(call.layer, Dense) and there.of != ("weight",)):
        return there
    return replace(there, how=", ".join(filter(None, [there.how, "features of the flattened map channel by channel"])))


@contextmanager
def _at(path: str) -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        raise UsageError(f"'{path}': {error}") from error
