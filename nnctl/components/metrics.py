"""Metrics: numbers for people, the mean over examples, or the largest, of what `build` gives for each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from nnctl.components.base import Array, Cost, Metric, Namespace, StepMetric
from nnctl.components.builder import Builder
from nnctl.components.fields import PositiveInt
from nnctl.components.registry import register
from nnctl.errors import ShapeError


def _labelled(output: Any, target: Any) -> bool:
    """Whether targets are class indices, one axis short of the output; values have the output's shape."""
    return len(target.shape) == len(output.shape) - 1


def _mean(builder: Builder, terms: Any) -> Any:
    """The mean over all axes but the batch's."""
    axes = tuple(range(1, len(terms.shape)))
    return builder.apply("mean", terms, axes=axes) if axes else terms


@register("metric", "accuracy")
class Accuracy(Metric):
    """The share of right answers.

    Labels: the unit with the largest output is the answer. A single unit, or
    several with values for targets, answers yes above `threshold`; the
    accuracy of an example is then the share of its units that are right.
    """

    formula = "1 if argmax_j a_j = y else 0; units: the mean of [a_j > ½] = [y_j > ½]"

    threshold: Annotated[float | None, "above it a unit says yes; the cost's if absent, 0 for hinge, else ½"] = None

    def build(self, builder: Builder, output: Any, target: Any) -> Any:
        if not _labelled(output, target):
            return _mean(builder, self._agreement(builder, output, target))
        if output.shape[-1] != 1:
            return builder.apply("same", builder.apply("argmax", output), target)
        column = builder.apply("reshape", builder.apply("cast", target), shape=output.shape)
        return _mean(builder, self._agreement(builder, output, column))

    def _agreement(self, builder: Builder, output: Any, target: Any) -> Any:
        threshold = Cost.threshold if self.threshold is None else self.threshold

        def agree(xp: Namespace, a: Array, y: Array) -> Array:
            yes = xp.where(xp.greater(a, threshold), 1.0, 0.0)
            truth = xp.where(xp.greater(y, threshold), 1.0, 0.0)
            return xp.where(xp.equal(yes, truth), 1.0, 0.0)

        return builder.formula("agreement", agree, output, target)


@register("metric", "top_k")
class TopK(Metric):
    """The share of examples whose label is among the k largest outputs."""

    formula = "1 if y is among the k largest a_j else 0"

    k: Annotated[PositiveInt, "how many answers each example has"] = 5

    @property
    def column(self) -> str:
        return f"top_{self.k}_accuracy"

    def build(self, builder: Builder, output: Any, target: Any) -> Any:
        if not _labelled(output, target):
            raise ShapeError("top_k needs labels for targets", "for values use accuracy, mse or mae", path="metrics")
        classes = output.shape[-1]
        if self.k >= classes:
            raise ShapeError(
                f"among the {self.k} largest of {classes} outputs is always the right one",
                f"choose k below {classes}",
                path="metrics",
            )
        return builder.apply("in_top_k", output, target, k=self.k)


def _values(builder: Builder, output: Any, target: Any) -> Any:
    """Targets with the output's shape: values as they are, labels as one-hot rows (a lone unit's as 0 and 1)."""
    if not _labelled(output, target):
        return target
    if output.shape[-1] == 1:
        return builder.apply("reshape", builder.apply("cast", target), shape=output.shape)
    return builder.apply("one_hot", target, classes=output.shape[-1])


@register("metric", "mse")
class MeanSquaredErrorMetric(Metric):
    """The squared error, averaged over the output units."""

    formula = "1/K Σ (y_j − a_j)²"
    higher_is_better = False

    def build(self, builder: Builder, output: Any, target: Any) -> Any:
        def error(xp: Namespace, a: Array, y: Array) -> Array:
            return xp.square(a - y)

        return _mean(builder, builder.formula("squared_error", error, output, _values(builder, output, target)))


@register("metric", "mae")
class MeanAbsoluteErrorMetric(Metric):
    """The absolute error, averaged over the output units."""

    formula = "1/K Σ |y_j − a_j|"
    higher_is_better = False

    def build(self, builder: Builder, output: Any, target: Any) -> Any:
        def error(xp: Namespace, a: Array, y: Array) -> Array:
            return xp.abs(a - y)

        return _mean(builder, builder.formula("absolute_error", error, output, _values(builder, output, target)))


@register("metric", "max_error")
class MaximalError(Metric):
    """The largest absolute error, of all output units and all examples: how far the net ever is from its target.

    What the universality theorem bounds, the uniform distance of two functions, on the
    examples that are measured.
    """

    formula = "max |y_j − a_j|"
    higher_is_better = False
    over_examples = "max"

    def build(self, builder: Builder, output: Any, target: Any) -> Any:
        def error(xp: Namespace, a: Array, y: Array) -> Array:
            return xp.abs(a - y)

        errors = builder.formula("absolute_error", error, output, _values(builder, output, target))
        axes = tuple(range(1, len(errors.shape)))
        return builder.apply("max", errors, axes=axes) if axes else errors


@register("metric", "nmse")
class NormalizedMeanSquaredError(Metric):
    """The squared error of an example over the variance of its targets: 0 is perfect, 1 is answering their mean.

    For sequences, whose targets vary within an example; its root is the NRMSE of the literature.
    """

    formula = "Σ (y_j − a_j)² / Σ (y_j − ȳ)²"
    higher_is_better = False

    def build(self, builder: Builder, output: Any, target: Any) -> Any:
        if _labelled(output, target) or len(target.shape) < 3:
            raise ShapeError("nmse needs targets that are sequences of values", "use mse", path="metrics")
        axes = tuple(range(1, len(target.shape)))
        center = builder.apply("mean", target, axes=axes, keepdims=True)

        def error(xp: Namespace, a: Array, y: Array) -> Array:
            return xp.square(a - y)

        wrong = builder.apply("sum", builder.formula("squared_error", error, output, target), axes=axes)
        spread = builder.apply("sum", builder.formula("squared_distance", error, target, center), axes=axes)
        return wrong / spread


def _norm(builder: Builder, tensor: Any) -> Any:
    """The root of the sum of all squares, ()."""

    def square(xp: Namespace, a: Array) -> Array:
        return xp.square(a)

    def root(xp: Namespace, a: Array) -> Array:
        return xp.sqrt(a)

    total = builder.apply("sum", builder.formula("square", square, tensor), axes=tuple(range(len(tensor.shape))))
    return builder.formula("norm", root, total)


class _Norms(StepMetric):
    """What norms of gradients and of parameters share."""

    of: Literal["weight", "bias"]

    @property
    def column(self) -> str:
        return f"{self.type} of each {self.of}"

    def measures(self, kind: str) -> bool:
        return kind == self.of


@register("metric", "gradient_norms")
class GradientNorms(_Norms):
    """The size of each layer's gradient while it trains, which vanishes or explodes towards the first layers.

    Of the biases it is ‖∂C/∂b‖, the batch's mean of δ, and so the speed at which a layer
    learns. The gradient is that of the objective, penalties included, before clipping.
    """

    formula = "‖∂C/∂b‖ for each layer"
    higher_is_better = False

    of: Annotated[Literal["weight", "bias"], "which gradients"] = "bias"

    def measure(self, builder: Builder, parameter: Any, gradient: Any) -> Any:
        return _norm(builder, gradient)


@register("metric", "weight_norms")
class WeightNorms(_Norms):
    """The size of each layer's weights, before each step's update."""

    formula = "‖W‖ for each layer, the root of the sum of all squares"
    higher_is_better = False

    of: Annotated[Literal["weight", "bias"], "which parameters"] = "weight"

    def measure(self, builder: Builder, parameter: Any, gradient: Any) -> Any:
        return _norm(builder, parameter)
