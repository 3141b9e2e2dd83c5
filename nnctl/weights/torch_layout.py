"""The layout of PyTorch: the state dict of modules that are called as the layers are here.

Linear (out, in); Conv (out, in/groups, *kernel), ConvTranspose (in, out/groups, *kernel); LSTM with gates i, f, g, o,
GRU with r, z, n, one above the other, each with two biases; BatchNorm with its running statistics. Maps have their
channels first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.layers.convolution import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d
from nnctl.components.layers.dense import Dense, DropConnect
from nnctl.components.layers.gated import Gru, Lstm
from nnctl.components.layers.indices import Embedding
from nnctl.components.layers.normalization import BatchNorm, LayerNorm
from nnctl.components.layers.recurrent import Recurrent, Rnn
from nnctl.errors import UsageError
from nnctl.weights.layout import (
    CELL,
    WEIGHTS,
    Arrays,
    Layout,
    Rule,
    There,
    directions,
    joined_biases,
    of_last_axes,
    renamed,
)

_NORMS = {"gamma": ("weight", 1.0), "beta": ("bias", 0.0)}
_STATISTICS = {"running_mean": "running_mean", "running_variance": "running_var"}
_COUNT = "num_batches_tracked"


def _dense() -> Rule:
    def give(layer: Dense, ours: Arrays) -> dict[str, There]:
        return _with_bias({"weight": There(ours["weight"].T, ("weight",), "transposed")}, ours)

    def take(layer: Dense, theirs: Arrays, wanted: Arrays) -> dict[str, NDArray[Any]]:
        return {name: theirs[name].T if name == "weight" else theirs[name] for name in wanted}

    return Rule(WEIGHTS, give, take)


def _convolution() -> Rule:
    """The last two axes come first, in the other order."""

    def give(layer: Any, ours: Arrays) -> dict[str, There]:
        weight = ours["weight"]
        rank = weight.ndim
        axes = (rank - 1, rank - 2, *range(rank - 2))
        return _with_bias({"weight": There(weight.transpose(axes), ("weight",), f"axes {axes}")}, ours)

    def take(layer: Any, theirs: Arrays, wanted: Arrays) -> dict[str, NDArray[Any]]:
        axes = (*range(2, theirs["weight"].ndim), 1, 0)
        return {name: theirs[name].transpose(axes) if name == "weight" else theirs[name] for name in wanted}

    return Rule(WEIGHTS, give, take)


def _with_bias(first: dict[str, There], ours: Arrays) -> dict[str, There]:
    return first | ({"bias": There(ours["bias"], ("bias",))} if "bias" in ours else {})


def _recurrent() -> Rule:
    def give(layer: Recurrent, ours: Arrays) -> dict[str, There]:
        if isinstance(layer, Gru) and not layer.reset_after:
            raise UsageError("PyTorch's GRU has reset_after: true alone")
        theirs: dict[str, There] = {}
        for begin, direction in directions(layer).items():
            end = "l0_reverse" if direction == "backward" else "l0"
            for name, kind in (("weight", "ih"), ("recurrent_weight", "hh")):
                theirs[f"weight_{kind}_{end}"] = There(ours[begin + name].T, (begin + name,), "transposed")
            for name, kind in (("bias", "ih"), ("recurrent_bias", "hh")):
                if begin + name in ours:
                    theirs[f"bias_{kind}_{end}"] = There(ours[begin + name], (begin + name,))
                elif f"{begin}bias" in ours:
                    zeros = np.zeros_like(ours[f"{begin}bias"])
                    theirs[f"bias_{kind}_{end}"] = There(zeros, how="0: the layer has one bias")
        return theirs

    def take(layer: Recurrent, theirs: Arrays, wanted: Arrays) -> dict[str, NDArray[Any]]:
        ours: dict[str, NDArray[Any]] = {}
        for begin, direction in directions(layer).items():
            end = "l0_reverse" if direction == "backward" else "l0"
            ours[f"{begin}weight"] = theirs[f"weight_ih_{end}"].T
            ours[f"{begin}recurrent_weight"] = theirs[f"weight_hh_{end}"].T
            if f"{begin}recurrent_bias" in wanted:
                ours[f"{begin}bias"] = theirs[f"bias_ih_{end}"]
                ours[f"{begin}recurrent_bias"] = theirs[f"bias_hh_{end}"]
            elif f"{begin}bias" in wanted:
                ours[f"{begin}bias"] = joined_biases(theirs[f"bias_ih_{end}"], theirs[f"bias_hh_{end}"])
        return ours

    return Rule(CELL, give, take)


def _norm(*, statistics: bool) -> Rule:
    """γ and β are weight and bias, which PyTorch has both or neither: one that the layer has not is neutral there."""

    def give(layer: BatchNorm | LayerNorm, ours: Arrays) -> dict[str, There]:
        theirs: dict[str, There] = {}
        there = ours.get("gamma", ours.get("beta"))
        if there is not None:
            for name, (other, neutral) in _NORMS.items():
                filling = There(np.full_like(there, neutral), how=f"{neutral:g}: the layer has no {name}")
                theirs[other] = There(ours[name], (name,)) if name in ours else filling
        if statistics:
            theirs |= {other: There(ours[name], (name,)) for name, other in _STATISTICS.items()}
            theirs[_COUNT] = There(np.zeros((), np.int64), how="0: not counted here")
        return theirs

    def take(layer: BatchNorm | LayerNorm, theirs: Arrays, wanted: Arrays) -> dict[str, NDArray[Any]]:
        for name, (other, neutral) in _NORMS.items():
            if name not in wanted and other in theirs and not np.all(theirs[other] == neutral):
                field = "scale" if name == "gamma" else "shift"
                raise UsageError(f"{other} is not {neutral:g} throughout, and the layer here says {field}: false")
        names = {name: other for name, (other, _) in _NORMS.items()} | _STATISTICS
        return {name: theirs[names[name]] for name in wanted}

    return Rule((*_NORMS, *_STATISTICS) if statistics else (*_NORMS,), give, take)


TORCH = Layout(
    "PyTorch",
    {
        Dense: _dense(),
        DropConnect: _dense(),
        Conv1d: _convolution(),
        Conv2d: _convolution(),
        Conv3d: _convolution(),
        ConvTranspose1d: _convolution(),
        ConvTranspose2d: _convolution(),
        Rnn: _recurrent(),
        Lstm: _recurrent(),
        Gru: _recurrent(),
        BatchNorm: _norm(statistics=True),
        LayerNorm: of_last_axes(_norm(statistics=False), "PyTorch"),
        Embedding: renamed(weight="weight"),
    },
    channels_first=True,
    ignored=(_COUNT,),
)
