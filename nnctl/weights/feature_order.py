"""The order of features in a library whose maps have their channels first.

A map that is flattened lies there channel by channel, here position by position: what reads the row next, as a dense
layer does, has its weights in another order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.layers.convolution import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d
from nnctl.components.layers.dense import ActivationLayer, Dense, DropConnect
from nnctl.components.layers.merge import Add, Concatenate
from nnctl.components.layers.nested import Repeat, Residual
from nnctl.components.layers.noise import Dropout, GaussianNoise
from nnctl.components.layers.normalization import BatchNorm, LayerNorm
from nnctl.components.layers.pooling import AveragePool, L2Pool, LpPool, MaxPool, Upsample
from nnctl.components.layers.reshaping import Flatten
from nnctl.components.layers.resizing import Resize
from nnctl.errors import UsageError
from nnctl.graph.calls import LayerCall
from nnctl.graph.ir import Value
from nnctl.ops.shapes import resolve
from nnctl.weights.layout import Arrays

Order = NDArray[np.int64]
"""For each feature there, the index that it has here."""

_MAPS = (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    AveragePool,
    L2Pool,
    LpPool,
    MaxPool,
    Resize,
    Upsample,
)
_ALIKE = (ActivationLayer, Dropout, GaussianNoise, BatchNorm, LayerNorm, Add, Residual)
"""Layers whose output has the order of what they read."""


def feature_orders(calls: Iterable[LayerCall], library: str) -> dict[str, Order]:
    """The order of what a layer reads, by the layer's path, where it is another one there.

    library: its name, for messages. Raises UsageError where a layer mixes features in an order that only we have.
    """
    known = _Known(library)
    found: dict[str, Order] = {}
    for call in calls:
        order = known.orders.get(call.inputs[0])
        if order is not None:
            found[call.path] = order
        known.follow(call)
    return found


class _Known:
    """Values as far as they were followed: which are maps, and the order of rows that lie in another one there."""

    def __init__(self, library: str) -> None:
        self.library = library
        self.maps: set[Value] = set()
        self.orders: dict[Value, Order] = {}

    def follow(self, call: LayerCall) -> None:
        """Take in what a layer gives. Raises UsageError as `feature_orders` does."""
        layer, output = call.layer, call.output
        if isinstance(layer, Repeat) or output in self.maps or output in self.orders:
            return  # the layers inside have made it, or none
        if isinstance(layer, _MAPS) and len(output.type.shape) > 2:
            self.maps.add(output)
        elif isinstance(layer, Flatten):
            self._flatten(call)
        elif isinstance(layer, _ALIKE):
            self._pass_on(call)
        elif isinstance(layer, Concatenate):
            self._refuse_mixing(call)
            if self.maps.issuperset(call.inputs):
                self.maps.add(output)
        elif not isinstance(layer, Dense | DropConnect):
            self._refuse_mixing(call)

    def _flatten(self, call: LayerCall) -> None:
        first, output = call.inputs[0], call.output
        if first not in self.maps and len(first.type.shape) <= 3:
            return
        if len(output.type.shape) > 2:
            raise _mixed(call, self.library)
        if (order := _flattened(first)) is not None:
            self.orders[output] = order

    def _pass_on(self, call: LayerCall) -> None:
        """The output has the order of what the layer reads."""
        first, layer = call.inputs[0], call.layer
        if isinstance(layer, LayerNorm) and first in self.maps:
            raise UsageError(
                f"'{call.path}': {self.library}'s layer norm is of the last axes, where maps there have lengths"
            )
        reading = [self.orders.get(value) for value in call.inputs]
        differing = len({None if order is None else order.tobytes() for order in reading}) > 1
        if differing or (isinstance(layer, Residual) and reading[0] is not None):
            raise _mixed(call, self.library)
        if reading[0] is not None:
            self.orders[call.output] = reading[0]
        if first in self.maps:
            self.maps.add(call.output)

    def _refuse_mixing(self, call: LayerCall) -> None:
        if not self.orders.keys().isdisjoint(call.inputs):
            raise _mixed(call, self.library)


def _flattened(maps: Value) -> Order | None:
    """The order of a flattened map (batch, *axes, channels), None where it is ours."""
    shape = resolve(maps.type.shape[1:], {})
    order: Order = np.moveaxis(np.arange(math.prod(shape)).reshape(shape), -1, 0).ravel()
    return None if (order[1:] > order[:-1]).all() else order


def _mixed(call: LayerCall, library: str) -> UsageError:
    return UsageError(
        f"'{call.path}': it gives a flattened map on, whose features {library} has in another order\n"
        "  a dense layer behind the flatten takes up the order"
    )


def ordered(call: LayerCall, arrays: Arrays, order: Order | None) -> dict[str, NDArray[Any]]:
    """Arrays of a layer with the features that it reads in an order, on their first axes."""
    if order is None:
        return dict(arrays)
    names = ("weight",) if isinstance(call.layer, Dense) else tuple(arrays)
    return {name: array[order] if name in names else array for name, array in arrays.items()}
