"""Layers of units that are connected to all of their inputs, and an activation by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from nnctl.components.activations import Linear, Sigmoid
from nnctl.components.base import Activation, Array, Initializer, Layer, Namespace, Regularizer
from nnctl.components.builder import Builder
from nnctl.components.fields import Fraction, NonEmptyStr, PositiveInt
from nnctl.components.layers.parameters import bias_problems, with_bias
from nnctl.components.layers.shapes import numbers, show
from nnctl.components.registry import Problem, register
from nnctl.errors import ShapeError


@register("layer", "dense")
class Dense(Layer):
    """Units connected to every input, on the last axis: (batch, …, fan_in) → (batch, …, units).

    Parameters: `weight` (fan_in, units), `bias` (units,). Tied to another layer it has
    no weight of its own and uses that layer's (units, fan_in), transposed, as the
    decoder of an autoencoder does; both layers' gradients add up.

    First values where neither layer nor spec names an initializer: torch, all U(±1/√fan_in); keras, Glorot's
    uniform weights, zero biases; book, weights N(0, 1/fan_in), biases N(0, 1).
    """

    formula = "z = x·W + b, a = f(z)"
    example = "{type: dense, units: 30, activation: relu}"

    units: Annotated[PositiveInt, "how many units"]
    activation: Annotated[Activation, "f in a = f(z)"] = Linear()
    bias: Annotated[bool, "whether each unit has a bias"] = True
    initializer: Annotated[Initializer | None, "of the weights; the spec's if absent"] = None
    bias_initializer: Annotated[Initializer | None, "of the biases; the spec's if absent"] = None
    regularizer: Annotated[Regularizer | None, "on the weights; the spec's if absent"] = None
    bias_regularizer: Annotated[Regularizer | None, "on the biases; none if absent"] = None
    tied_to: Annotated[NonEmptyStr | None, "an earlier dense layer whose weights are used, transposed"] = None

    @property
    def output_activation(self) -> Activation:
        return self.activation

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = numbers(self.type, inputs)
        *outer, features = x.shape
        if not outer:
            raise ShapeError(
                f"{self.type} needs at least one feature of each example, found shape {show(x.shape)}",
                "put a layer {type: reshape, shape: [1]} before it",
            )
        fans = (features, self.units)
        weight = self._weight(builder, fans)
        rows = outer[0]
        for axis in outer[1:]:
            rows = rows * axis
        flat = builder.apply("reshape", x, shape=(rows, features))
        transposed = {"transpose_b": True} if self.tied_to is not None else {}
        z = builder.apply("matmul", flat, self.connections(builder, weight), **transposed)
        z = with_bias(self, builder, z, fans)
        return self.activation.build(builder, builder.apply("reshape", z, shape=(*outer, self.units)))

    def _weight(self, builder: Builder, fans: tuple[int, int]) -> Any:
        """Its own weights (fan_in, units), or those it is tied to, (units, fan_in)."""
        if self.tied_to is None:
            return builder.parameter(
                "weight", fans, kind="weight", fans=fans, initializer=self.initializer, regularizer=self.regularizer
            )
        weight = builder.parameter_of(self.tied_to, "weight")
        if weight.shape != fans[::-1]:
            raise ShapeError(
                f"the weights of '{self.tied_to}' have shape {show(weight.shape)}; transposed they do not lead "
                f"from {fans[0]} features to {fans[1]} units",
                f"as many units as '{self.tied_to}' has inputs, {weight.shape[0]}, reading a layer of "
                f"{weight.shape[1]} units",
            )
        return weight

    def connections(self, builder: Builder, weight: Any) -> Any:
        """The weights as the product uses them."""
        return weight

    @property
    def linear(self) -> bool:
        return isinstance(self.activation, Linear) and self.tied_to is None

    def unfit_for_pretraining(self, name: str) -> tuple[str, str] | None:
        if not isinstance(self.activation, Sigmoid):
            return f"'{name}' is {self.activation.type}; hidden units of a Boltzmann machine are sigmoid", (
                "give the layer activation: sigmoid, or leave it out"
            )
        if not self.bias:
            return f"'{name}' has no bias, and hidden units of a Boltzmann machine have one", "remove bias: false"
        if self.tied_to is not None:
            return f"'{name}' has no weights of its own", "remove tied_to, or leave it out"
        return None

    def problems(self) -> list[Problem]:
        if self.tied_to is None:
            return bias_problems(self)
        own = [name for name in ("initializer", "regularizer") if getattr(self, name) is not None]
        message = f"a tied layer has no weights of its own: they are those of '{self.tied_to}'"
        return [
            *bias_problems(self),
            *(Problem(name, message, f"remove it, or say it at '{self.tied_to}'") for name in own),
        ]


@register("layer", "dropconnect")
class DropConnect(Dense):
    """A dense layer that loses a random share of its weights in each training step (Wan et al. 2013).

    One mask a step, for all examples of the batch. The weights that stay are
    divided by 1 − rate, so that evaluation uses all of them as they are.
    """

    formula = "z = x·(M ∘ W)/(1 − rate) + b, M = 1 with probability 1 − rate"
    example = "{type: dropconnect, units: 30, rate: 0.5, activation: relu}"

    rate: Annotated[Fraction, "the share of the weights that is dropped"] = 0.5

    @property
    def doubts(self) -> Sequence[str]:
        return doubts_of_rate(self.rate)

    def unfit_for_pretraining(self, name: str) -> tuple[str, str] | None:
        # A machine has all of its weights, at all times.
        return Layer.unfit_for_pretraining(self, name)

    def connections(self, builder: Builder, weight: Any) -> Any:
        if not builder.training or not self.rate:
            return weight
        return weight * mask(builder, self.rate, weight.shape)


def doubts_of_rate(rate: float) -> list[str]:
    """A sentence on a rate that may be meant as the share that is kept."""
    if rate <= 0.75:
        return []
    return [f"rate: {rate:g} drops {rate:.0%}; where that share is to be kept, write rate: {1.0 - rate:.4g}"]


def mask(builder: Builder, rate: float, shape: Any) -> Any:
    """0 with probability `rate`, else 1/(1 − rate): its mean is 1."""

    def keep(xp: Namespace, u: Array) -> Array:
        return xp.where(xp.less(u, rate), 0.0, 1.0 / (1.0 - rate))

    return builder.formula("mask", keep, builder.uniform("uniform", shape))


@register("layer", "activation")
class ActivationLayer(Layer):
    """An activation by itself, for example after a sum of branches."""

    formula = "a = f(x)"
    example = "{type: activation, activation: relu}"

    activation: Annotated[Activation, "f in a = f(x)"]

    @property
    def output_activation(self) -> Activation:
        return self.activation

    def build(self, builder: Builder, *inputs: Any) -> Any:
        return self.activation.build(builder, numbers(self.type, inputs))
