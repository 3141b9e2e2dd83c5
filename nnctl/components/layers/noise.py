"""Layers that disturb their input in training and leave it alone in evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from nnctl.components.base import Layer
from nnctl.components.builder import Builder
from nnctl.components.fields import Fraction, NonNegativeFloat
from nnctl.components.layers.dense import doubts_of_rate, mask
from nnctl.components.layers.shapes import numbers
from nnctl.components.registry import register


@register("layer", "dropout")
class Dropout(Layer):
    """Each activation is dropped with probability `rate` (Srivastava et al. 2014).

    Those that stay are divided by 1 − rate, so that evaluation needs no change.
    """

    formula = "a = M ∘ x/(1 − rate), M = 1 with probability 1 − rate"
    example = "{type: dropout, rate: 0.5}"
    transparent = True

    rate: Annotated[Fraction, "the share of the activations that is dropped"] = 0.5

    @property
    def doubts(self) -> Sequence[str]:
        return doubts_of_rate(self.rate)

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = numbers(self.type, inputs)
        if not builder.training or not self.rate:
            return x
        return x * mask(builder, self.rate, x.shape)


@register("layer", "gaussian_noise")
class GaussianNoise(Layer):
    """Normal noise added to each activation (Bishop 1995: at small size the same as a penalty on slopes)."""

    formula = "a = x + ε, ε ~ N(0, std²)"
    example = "{type: gaussian_noise, std: 0.1}"
    transparent = True

    std: Annotated[NonNegativeFloat, "standard deviation of the noise"]

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = numbers(self.type, inputs)
        if not builder.training or not self.std:
            return x
        return x + self.std * builder.normal("normal", x.shape)
