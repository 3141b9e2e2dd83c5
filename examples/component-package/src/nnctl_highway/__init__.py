"""The activation `mish` and the layer `highway`: importing this module registers them."""

from __future__ import annotations

from typing import Annotated, Any

from nnctl.components.activations import Sigmoid
from nnctl.components.base import Activation, Array, ElementwiseActivation, Initializer, Layer, Namespace
from nnctl.components.builder import Builder
from nnctl.components.initializers import ConstantValue
from nnctl.components.layers.dense import Dense
from nnctl.components.registry import register
from nnctl.errors import ShapeError


@register("activation", "mish")
class Mish(ElementwiseActivation):
    """z times the hyperbolic tangent of its softplus (Misra 2020): smooth, and a little below 0 for small z."""

    formula = "a = z·tanh(ln(1 + e^z))"

    def body(self, xp: Namespace, z: Array) -> Array:
        return z * xp.tanh(xp.logaddexp(0.0, z))

    def derivative(self, xp: Namespace, z: Array, a: Array) -> Array:
        t = xp.tanh(xp.logaddexp(0.0, z))
        return t + z * (1.0 - t * t) * Sigmoid().body(xp, z)


@register("layer", "highway")
class Highway(Layer):
    """A dense layer with a gate that lets its input by (Srivastava, Greff & Schmidhuber 2015).

    (batch, …, features) → the same. Parameters: `transform.weight` and `gate.weight`
    (features, features), `transform.bias` and `gate.bias` (features,).
    """

    formula = "a = g ∘ f(x·W + b) + (1 − g) ∘ x, g = σ(x·W_g + b_g)"
    example = "{type: highway, activation: tanh, gate_bias: -2.0}"

    activation: Annotated[Activation, "f in the formula"] = Mish()
    initializer: Annotated[Initializer | None, "of both weights; the spec's if absent"] = None
    gate_bias: Annotated[float, "first value of b_g; below 0 the layer begins nearly open"] = -1.0

    def build(self, builder: Builder, *inputs: Any) -> Any:
        if len(inputs) != 1:
            raise ShapeError(f"{self.type} takes one input, found {len(inputs)}", "join them first, by a layer add")
        (x,) = inputs
        units = x.shape[-1]
        transform = Dense(name="transform", units=units, activation=self.activation, initializer=self.initializer)
        gate = Dense(
            name="gate",
            units=units,
            activation=Sigmoid(),
            initializer=self.initializer,
            bias_initializer=ConstantValue(value=self.gate_bias),
        )
        share = builder.build(gate, x)
        return share * builder.build(transform, x) + (1.0 - share) * x
