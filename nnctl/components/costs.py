"""Costs of one example; the objective is their mean over the batch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from annotated_types import MinLen

from nnctl.components.base import Array, Cost, ElementwiseCost, Namespace
from nnctl.components.builder import Builder
from nnctl.components.fields import Fraction, PositiveFloat
from nnctl.components.registry import register
from nnctl.errors import ShapeError


@register("cost", "quadratic")
class Quadratic(ElementwiseCost):
    """Half the squared distance to the target, summed over the output units."""

    formula = "C = 1/2n Σ ‖y − a‖²"
    least_squares = True

    def body(self, xp: Namespace, a: Array, y: Array) -> Array:
        return 0.5 * xp.square(a - y)

    def derivative(self, xp: Namespace, a: Array, y: Array) -> Array:
        return a - y


@register("cost", "mse")
class MeanSquaredError(ElementwiseCost):
    """The squared error, averaged over examples and output units."""

    formula = "C = 1/nK Σ (y − a)²"
    mean = True
    least_squares = True

    def body(self, xp: Namespace, a: Array, y: Array) -> Array:
        return xp.square(a - y)

    def derivative(self, xp: Namespace, a: Array, y: Array) -> Array:
        return 2.0 * (a - y)


@register("cost", "cross_entropy")
class CrossEntropy(ElementwiseCost):
    """The cross-entropy of independent yes-or-no outputs, summed over the units.

    For sigmoid outputs: each unit answers its own question, and any number of
    them may be on. With label smoothing ε the target is y(1 − ε) + ε/2.
    """

    formula = "C = −1/n Σ [y ln a + (1−y) ln(1−a)]"
    example = "{type: cross_entropy, label_smoothing: 0.1}"
    decides = True
    outputs = ("sigmoid",)
    paired_activation = "sigmoid"
    wrong_outputs: ClassVar[Mapping[str, str]] = {
        "softmax": "use log_likelihood, or end with sigmoid if several classes may be true at once"
    }

    label_smoothing: Annotated[Fraction, "ε: targets become y(1 − ε) + ε/2"] = 0.0

    def body(self, xp: Namespace, a: Array, y: Array) -> Array:
        y = self._smooth(y)
        # 0·ln 0 is 0: an activation that is exactly right costs nothing.
        yes = xp.where(xp.equal(y, 0.0), 0.0, y * xp.log(xp.where(xp.equal(y, 0.0), 1.0, a)))
        no = xp.where(xp.equal(y, 1.0), 0.0, (1.0 - y) * xp.log1p(-xp.where(xp.equal(y, 1.0), 0.0, a)))
        return -(yes + no)

    def derivative(self, xp: Namespace, a: Array, y: Array) -> Array:
        y = self._smooth(y)
        yes = xp.where(xp.equal(y, 0.0), 0.0, y / xp.where(xp.equal(y, 0.0), 1.0, a))
        no = xp.where(xp.equal(y, 1.0), 0.0, (1.0 - y) / (1.0 - xp.where(xp.equal(y, 1.0), 0.0, a)))
        return no - yes

    def paired_body(self, xp: Namespace, z: Array, y: Array) -> Array:
        y = self._smooth(y)
        # ln(1 + e^z) − yz, with the larger exponential taken out. Chosen by sign and not through |z|, whose
        # kink at 0 is not in the function: there the complex step would find a slope that it does not have.
        positive = xp.greater(z, 0.0)
        return xp.where(positive, z * (1.0 - y), -(z * y)) + xp.log1p(xp.exp(xp.where(positive, -z, z)))

    def paired_derivative(self, xp: Namespace, z: Array, y: Array) -> Array:
        # σ(z) = ½(1 + tanh(z/2)) cannot overflow.
        return 0.5 + 0.5 * xp.tanh(0.5 * z) - self._smooth(y)

    def of_even_guess(self, classes: int, units: int) -> float:
        """K·ln 2, for each unit answers a question of its own."""
        return units * math.log(2.0)

    @property
    def doubts(self) -> Sequence[str]:
        return _doubts_of_smoothing(self.label_smoothing)

    def _smooth(self, y: Array) -> Array:
        if not self.label_smoothing:
            return y
        return y * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing


@register("cost", "log_likelihood")
class LogLikelihood(Cost):
    """The negative log-likelihood of the right class, on softmax outputs.

    With label smoothing ε the target is (1 − ε)·onehot + ε/K. With class
    weights the batch's mean divides by the sum of its examples' weights.
    """

    formula = "C = −1/n Σ ln a_y"
    example = "{type: log_likelihood, label_smoothing: 0.1}"
    targets = "labels"
    outputs = ("softmax",)
    wrong_outputs: ClassVar[Mapping[str, str]] = {"sigmoid": "use cross_entropy, or end with softmax"}

    label_smoothing: Annotated[Fraction, "ε: targets become (1 − ε)·onehot + ε/K"] = 0.0
    class_weights: Annotated[
        Annotated[tuple[PositiveFloat, ...], MinLen(1)] | None, "how much an example of each class counts"
    ] = None

    def build(self, builder: Builder, output: Any, target: Any) -> tuple[Any, Any | None]:
        classes = output.shape[-1]
        if self.class_weights is not None and len(self.class_weights) != classes:
            raise ShapeError(
                f"{len(self.class_weights)} class weights for {classes} classes",
                "give one weight for each class, in the order of the classes",
                path="cost.class_weights",
            )
        costs = builder.apply(
            "log_likelihood",
            output,
            target,
            label_smoothing=self.label_smoothing,
            class_weights=self.class_weights,
        )
        if self.class_weights is None:
            return costs, None
        return costs, builder.apply("label_weight", target, weights=self.class_weights)

    def of_even_guess(self, classes: int, units: int) -> float:
        """ln K."""
        return math.log(classes)

    @property
    def doubts(self) -> Sequence[str]:
        return _doubts_of_smoothing(self.label_smoothing)


def _doubts_of_smoothing(share: float) -> list[str]:
    if share < 0.5:
        return []
    return [
        f"label_smoothing: {share:g} takes that share from the right class; to leave it that share, "
        f"write label_smoothing: {1.0 - share:.4g}"
    ]


@register("cost", "mae")
class MeanAbsoluteError(ElementwiseCost):
    """The absolute error, averaged over examples and output units; derivative 0 where it is 0."""

    formula = "C = 1/nK Σ |y − a|"
    mean = True

    def body(self, xp: Namespace, a: Array, y: Array) -> Array:
        return xp.abs(a - y)

    def derivative(self, xp: Namespace, a: Array, y: Array) -> Array:
        return xp.sign(a - y)


@register("cost", "huber")
class Huber(ElementwiseCost):
    """Quadratic near the target, linear far from it, so that outliers pull less (Huber 1964)."""

    formula = "C = 1/nK Σ h(a − y), h(e) = ½e² if |e| < δ else δ(|e| − ½δ)"
    example = "{type: huber, delta: 1.0}"
    mean = True

    delta: Annotated[PositiveFloat, "δ, the error where the line begins"] = 1.0

    def body(self, xp: Namespace, a: Array, y: Array) -> Array:
        size = xp.abs(a - y)
        return xp.where(xp.less(size, self.delta), 0.5 * xp.square(a - y), self.delta * (size - 0.5 * self.delta))

    def derivative(self, xp: Namespace, a: Array, y: Array) -> Array:
        return xp.minimum(xp.maximum(a - y, -self.delta), self.delta)


@register("cost", "smooth_l1")
class SmoothL1(ElementwiseCost):
    """The absolute error with its corner rounded off: Huber's cost over β (Girshick 2015)."""

    formula = "C = 1/nK Σ h(a − y), h(e) = e²/2β if |e| < β else |e| − ½β"
    example = "{type: smooth_l1, beta: 1.0}"
    mean = True

    beta: Annotated[PositiveFloat, "β, the error where the line begins"] = 1.0

    def body(self, xp: Namespace, a: Array, y: Array) -> Array:
        size = xp.abs(a - y)
        return xp.where(xp.less(size, self.beta), xp.square(a - y) * (0.5 / self.beta), size - 0.5 * self.beta)

    def derivative(self, xp: Namespace, a: Array, y: Array) -> Array:
        return xp.minimum(xp.maximum((a - y) / self.beta, -1.0), 1.0)


@register("cost", "hinge")
class Hinge(ElementwiseCost):
    """The margin cost of support vector machines, averaged over the output units.

    Targets are −1 and 1. A target above 0 counts as 1 and any other as −1, so
    that labels, which arrive as one-hot rows of 0 and 1, mean the same. The
    derivative on the margin itself is 0.
    """

    formula = "C = 1/nK Σ max(0, 1 − y·a), y = ±1"
    mean = True
    decides = True
    threshold = 0.0
    outputs = ("linear", "tanh")
    wrong_outputs: ClassVar[Mapping[str, str]] = {
        "softmax": "use log_likelihood, or end with linear: the hinge needs outputs on both sides of 0",
        "sigmoid": "use cross_entropy, or end with linear: the hinge needs outputs on both sides of 0",
    }

    def body(self, xp: Namespace, a: Array, y: Array) -> Array:
        return xp.maximum(0.0, 1.0 - self._sign(xp, y) * a)

    def derivative(self, xp: Namespace, a: Array, y: Array) -> Array:
        sign = self._sign(xp, y)
        return xp.where(xp.less(sign * a, 1.0), -sign, 0.0)

    def _sign(self, xp: Namespace, y: Array) -> Array:
        return xp.where(xp.greater(y, 0.0), 1.0, -1.0)
