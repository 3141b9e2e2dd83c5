"""Reservoirs: recurrent layers with random weights that stay as they are."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Gt, Le

from nnctl.components.base import Layer
from nnctl.components.builder import Builder
from nnctl.components.fields import Fraction, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from nnctl.components.initializers import Reservoir, Uniform
from nnctl.components.layers.shapes import numbers, show
from nnctl.components.registry import register
from nnctl.errors import ShapeError


@register("layer", "echo_state")
class EchoState(Layer):
    """A reservoir of leaky units: (batch, time, features) → (batch, time − washout, units) (Jaeger 2001).

    Its random weights are frozen; what is trained is a linear layer that reads its
    states, best by the optimizer `ridge`. With `frozen: false` it is a recurrent layer
    like any other, with its sequence unrolled in the graph. Parameters: `weight`
    (features, units), `recurrent_weight` (units, units), `bias` (units,).
    """

    formula = "h_t = (1 − α)h_{t−1} + α·tanh(x_t·W + h_{t−1}·R + b)"
    example = "{type: echo_state, units: 200, spectral_radius: 0.9, leak: 0.3}"

    frozen: Annotated[bool, "keep the random weights as they are"] = True
    units: Annotated[PositiveInt, "size of the reservoir"]
    spectral_radius: Annotated[PositiveFloat, "largest |eigenvalue| of R; below 1 old inputs fade"] = 0.9
    sparsity: Annotated[Fraction, "the share of R that is 0"] = 0.9
    leak: Annotated[Annotated[float, Gt(0), Le(1)], "α, the share of a state that a step renews"] = 1.0
    input_scaling: Annotated[PositiveFloat, "W is uniform between ± this"] = 1.0
    bias_scaling: Annotated[NonNegativeFloat, "b is uniform between ± this"] = 0.1
    washout: Annotated[NonNegativeInt, "first steps that are left out: they still know that the state began at 0"] = 0

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = numbers(self.type, inputs)
        if len(x.shape) != 3:
            raise ShapeError(
                f"{self.type} reads sequences (batch, time, features), found {show(x.shape)}",
                "put a reshape layer before it, for example {type: reshape, shape: [time, features]}",
            )
        batch, steps, features = x.shape
        if self.washout >= steps:
            raise ShapeError(f"a washout of {self.washout} steps leaves nothing of sequences of {steps}")
        fans = (features, self.units)
        weight = builder.parameter("weight", fans, kind="weight", fans=fans, initializer=_around_0(self.input_scaling))
        recurrent = builder.parameter(
            "recurrent_weight",
            (self.units, self.units),
            kind="weight",
            fans=(self.units, self.units),
            initializer=Reservoir(spectral_radius=self.spectral_radius, sparsity=self.sparsity),
        )
        bias = builder.parameter(
            "bias", (self.units,), kind="bias", fans=fans, initializer=_around_0(self.bias_scaling)
        )
        p = builder.apply("matmul", builder.apply("reshape", x, shape=(batch * steps, features)), weight) + bias
        p = builder.apply("reshape", p, shape=(batch, steps, self.units))
        first = builder.apply("zeros", shape=(batch, self.units))
        states = builder.apply("leaky_rnn", p, recurrent, first, leak=self.leak)
        if not self.washout:
            return states
        return builder.apply("slice", states, axis=1, start=self.washout, stop=steps)


def _around_0(bound: float) -> Uniform:
    return Uniform(low=-bound, high=bound)
