"""The layout of Keras 3: kernels (in, units) and (*kernel, in/groups, filters), as they are here.

LSTM with gates i, f, c, o, GRU with z, r, h and, where the reset comes after the product, two rows of biases; other
cells have one bias for the inputs and the state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.components.layers.convolution import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d
from nnctl.components.layers.dense import Dense, DropConnect
from nnctl.components.layers.gated import Gru, Lstm
from nnctl.components.layers.indices import Embedding
from nnctl.components.layers.normalization import BatchNorm, LayerNorm
from nnctl.components.layers.recurrent import Recurrent, Rnn
from nnctl.errors import UsageError
from nnctl.weights.layout import CELL, Arrays, Layout, Rule, There, directions, joined_biases, of_last_axes, renamed

_Turn: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
_KERNEL = renamed(weight="kernel", bias="bias")


def _swapped(array: NDArray[Any]) -> NDArray[Any]:
    """The first two of three gates, on the last axis, in the other order: r, z, n and z, r, h."""
    first, second, third = np.split(array, 3, axis=-1)
    return np.concatenate([second, first, third], axis=-1)


def _recurrent(turn: _Turn | None = None) -> Rule:
    """A cell whose gates `turn` puts in the other library's order, and back."""
    how = "" if turn is None else "gates r, z, n to z, r, h"
    turned: _Turn = turn or (lambda array: array)

    def give(layer: Recurrent, ours: Arrays) -> dict[str, There]:
        theirs: dict[str, There] = {}
        for begin in directions(layer):
            for name, there in (("weight", "kernel"), ("recurrent_weight", "recurrent_kernel")):
                theirs[begin + there] = There(turned(ours[begin + name]), (begin + name,), how)
            names = tuple(begin + name for name in ("bias", "recurrent_bias") if begin + name in ours)
            biases = [turned(ours[name]) for name in names]
            if len(biases) == 2 and isinstance(layer, Gru):
                theirs[f"{begin}bias"] = There(np.stack(biases), names, f"two rows, {how}")
            elif biases:
                words = "their sum" if len(biases) == 2 else how
                theirs[f"{begin}bias"] = There(joined_biases(*biases), names, words)
        return theirs

    def take(layer: Recurrent, theirs: Arrays, wanted: Arrays) -> dict[str, NDArray[Any]]:
        ours: dict[str, NDArray[Any]] = {}
        for begin in directions(layer):
            ours[f"{begin}weight"] = turned(theirs[f"{begin}kernel"])
            ours[f"{begin}recurrent_weight"] = turned(theirs[f"{begin}recurrent_kernel"])
            if f"{begin}bias" not in wanted:
                continue
            bias = turned(theirs[f"{begin}bias"])
            if bias.ndim == 2:
                ours[f"{begin}bias"], ours[f"{begin}recurrent_bias"] = bias
            else:
                ours[f"{begin}bias"] = bias
                if f"{begin}recurrent_bias" in wanted:
                    ours[f"{begin}recurrent_bias"] = np.zeros_like(bias)
        return ours

    return Rule(CELL, give, take)


def _transposed_convolution() -> Rule:
    def give(layer: ConvTranspose1d | ConvTranspose2d, ours: Arrays) -> dict[str, There]:
        if layer.groups > 1:
            raise UsageError("Keras's transposed convolutions have no groups")
        return _KERNEL.give(layer, ours)

    return Rule(_KERNEL.of, give, _KERNEL.take)


KERAS = Layout(
    "Keras",
    {
        Dense: _KERNEL,
        DropConnect: _KERNEL,
        Conv1d: _KERNEL,
        Conv2d: _KERNEL,
        Conv3d: _KERNEL,
        ConvTranspose1d: _transposed_convolution(),
        ConvTranspose2d: _transposed_convolution(),
        Rnn: _recurrent(),
        Lstm: _recurrent(),
        Gru: _recurrent(_swapped),
        BatchNorm: renamed(gamma="gamma", beta="beta", running_mean="moving_mean", running_variance="moving_variance"),
        LayerNorm: of_last_axes(renamed(gamma="gamma", beta="beta"), "Keras"),
        Embedding: renamed(weight="embeddings"),
    },
)
