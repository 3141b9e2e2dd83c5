"""The nets that are timed, as layers which every contestant writes down in its own way.

Shapes are those of one example: (height, width, channels), (time, features) or (features,).
Weights lie as nnctl keeps them: (inputs, outputs), and (height, width, inputs, outputs) in convolutions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Shape: TypeAlias = tuple[int, ...]
Weights: TypeAlias = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Layer:
    """A layer without weights that keeps the shape."""

    @property
    def spec(self) -> str:
        """Its fields in nnctl's spec."""
        raise NotImplementedError

    def output(self, shape: Shape) -> Shape:
        """The output's shape for an input of this shape."""
        return shape

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        """Shapes of what it learns, by nnctl's names."""
        return {}

    def products(self, shape: Shape) -> int:
        """Multiplications of one example on the way forward, in products and convolutions alone."""
        return 0


@dataclass(frozen=True)
class Flatten(Layer):
    """(height, width, channels) → (height·width·channels,)."""

    spec = "type: flatten"

    def output(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


@dataclass(frozen=True)
class Activation(Layer):
    """A function of every number."""

    function: Literal["relu", "sigmoid"]

    @property
    def spec(self) -> str:
        return f"type: activation, activation: {self.function}"


@dataclass(frozen=True)
class Dense(Layer):
    """x·W + b, at every step of a sequence."""

    units: int

    @property
    def spec(self) -> str:
        return f"type: dense, units: {self.units}"

    def output(self, shape: Shape) -> Shape:
        return (*shape[:-1], self.units)

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": (shape[-1], self.units), "bias": (self.units,)}

    def products(self, shape: Shape) -> int:
        return math.prod(shape) * self.units


@dataclass(frozen=True)
class Conv(Layer):
    """A convolution with square kernels, by steps of one."""

    filters: int
    kernel: int
    padding: Literal["valid", "same"] = "valid"
    bias: bool = True

    @property
    def spec(self) -> str:
        bias = str(self.bias).lower()
        return f"type: conv2d, filters: {self.filters}, kernel: {self.kernel}, padding: {self.padding}, bias: {bias}"

    def output(self, shape: Shape) -> Shape:
        lost = self.kernel - 1 if self.padding == "valid" else 0
        return (shape[0] - lost, shape[1] - lost, self.filters)

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        weight = {"weight": (self.kernel, self.kernel, shape[-1], self.filters)}
        return weight | ({"bias": (self.filters,)} if self.bias else {})

    def products(self, shape: Shape) -> int:
        return math.prod(self.output(shape)) * self.kernel**2 * shape[-1]


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Every channel normalized over batch and positions; running statistics as in PyTorch."""

    spec = "type: batch_norm"

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return {"gamma": (shape[-1],), "beta": (shape[-1],)}


@dataclass(frozen=True)
class MaxPool(Layer):
    """The largest of each 2×2 window."""

    spec = "type: max_pool, size: 2"

    def output(self, shape: Shape) -> Shape:
        return (shape[0] // 2, shape[1] // 2, shape[2])


@dataclass(frozen=True)
class GlobalAveragePool(Layer):
    """The mean of every channel."""

    spec = "type: global_average_pool"

    def output(self, shape: Shape) -> Shape:
        return shape[-1:]


@dataclass(frozen=True)
class Recurrent(Layer):
    """A recurrent layer that gives its state at every step, with PyTorch's gates and two biases.

    It reads characters, as vectors with one 1: the product with the input weights is a choice of rows.
    """

    cell: Literal["rnn", "lstm", "gru"]
    units: int

    @property
    def gates(self) -> int:
        """Products with the state in a step: of each gate and of the candidate."""
        return {"rnn": 1, "lstm": 4, "gru": 3}[self.cell]

    @property
    def spec(self) -> str:
        return f"type: {self.cell}, units: {self.units}, return_sequence: true"

    def output(self, shape: Shape) -> Shape:
        return (*shape[:-1], self.units)

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        width = self.gates * self.units
        return {
            "weight": (shape[-1], width),
            "recurrent_weight": (self.units, width),
            "bias": (width,),
            "recurrent_bias": (width,),
        }

    def products(self, shape: Shape) -> int:
        return shape[0] * self.units * self.units * self.gates


Net: TypeAlias = tuple[Layer, ...]


def placed(net: Net, shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
    """Each layer with its name and the shape of its input."""
    for position, layer in enumerate(net):
        yield f"layer{position}", layer, shape
        shape = layer.output(shape)


def fields(net: Net, shape: Shape) -> str:
    """The layers as lines of a spec, up to its last activation."""
    return "".join(f"  - {{name: {name}, {layer.spec}}}\n" for name, layer, _ in placed(net, shape))


def initial_weights(net: Net, shape: Shape) -> Weights:
    """The same for everyone, by names such as "layer1.weight"; uniform, of variance 1/(3·fan_in)."""
    rng = np.random.default_rng(2)
    weights: Weights = {}
    for name, layer, inputs in placed(net, shape):
        shapes = layer.parameters(inputs)
        bound = 1.0 / math.sqrt(math.prod(shapes.get("weight", (1, 1))[:-1]))
        for parameter, of in shapes.items():
            if parameter == "gamma":
                values = np.ones(of)
            elif parameter == "beta":
                values = np.zeros(of)
            else:
                values = rng.uniform(-bound, bound, of)
            weights[f"{name}.{parameter}"] = values.astype(np.float32)
    return weights


def mlp(*units: int, activation: Literal["relu", "sigmoid"], classes: int = 10) -> Net:
    """Dense layers over flattened images."""
    hidden = (layer for u in units for layer in (Dense(u), Activation(activation)))
    return (Flatten(), *hidden, Dense(classes))


def lenet() -> Net:
    """Two convolutions with pooling, two dense layers (after LeCun et al. 1998)."""
    relu = Activation("relu")
    return (
        Conv(20, 5), relu, MaxPool(), Conv(40, 5), relu, MaxPool(),
        Flatten(), Dense(100), relu, Dense(10),
    )  # fmt: skip


def vgg(*blocks: int) -> Net:
    """Two 3×3 convolutions a block, each normalized over the batch (after Simonyan and Zisserman 2015)."""
    layers: list[Layer] = []
    for filters in blocks:
        layers += [MaxPool()] if layers else []
        layers += [Conv(filters, 3, padding="same", bias=False), BatchNorm(), Activation("relu")] * 2
    return (*layers, GlobalAveragePool(), Dense(10))


def characters(cell: Literal["rnn", "lstm", "gru"], units: int, vocabulary: int = 65) -> Net:
    """A character model: the next one at every step."""
    return (Recurrent(cell, units), Dense(vocabulary))
