"""The forms that targets and outputs have, for metrics that compare them."""

from __future__ import annotations

from typing import Any

from nnctl.components.base import Array, Namespace, Task
from nnctl.components.builder import Builder
from nnctl.errors import ShapeError


def labelled(output: Any, target: Any) -> bool:
    """True where targets are class indices, one axis short of the output; values have the output's shape."""
    return len(target.shape) == len(output.shape) - 1


def mean_of_units(builder: Builder, terms: Any) -> Any:
    """The mean over all axes but the batch's; where labels are left out, but those of the labels."""
    kept = 1 if builder.counted is None else len(builder.counted.shape)
    axes = tuple(range(kept, len(terms.shape)))
    return builder.apply("mean", terms, axes=axes) if axes else terms


def values(builder: Builder, output: Any, target: Any) -> Any:
    """Targets with the output's shape: values as they are, labels as one-hot rows (a lone unit's as 0 and 1)."""
    if not labelled(output, target):
        return target
    if output.shape[-1] == 1:
        return builder.apply("reshape", builder.apply("cast", target), shape=output.shape)
    return builder.apply("one_hot", target, classes=output.shape[-1])


def rows(builder: Builder, tensor: Any) -> Any:
    """A tensor (batch, …, units) as rows (rows, units): of sequences each step is an example, of images each pixel."""
    *outer, units = tensor.shape if len(tensor.shape) > 1 else (*tensor.shape, 1)
    return builder.apply("reshape", tensor, shape=(_product(outer), units))


def column(builder: Builder, tensor: Any) -> Any:
    """A tensor (batch, …) as one axis, as long as `rows` of one with units behind."""
    return builder.apply("reshape", tensor, shape=(_product(tensor.shape),))


def _product(axes: Any) -> Any:
    first, *rest = axes
    for axis in rest:
        first = first * axis
    return first


def without_threshold(name: str, task: Task) -> ShapeError:
    """The error for a threshold of a metric whose answers are the largest of several outputs."""
    message = f"{name}: the largest of {task.units} outputs is the answer, and a threshold has no part in it"
    return ShapeError(message, "remove 'threshold'; precision, recall and f1 of one class take it", path="metrics")


def above(builder: Builder, tensor: Any, threshold: float) -> Any:
    """1 where a value is above the threshold, else 0."""

    def answer(xp: Namespace, a: Array) -> Array:
        return xp.where(xp.greater(a, threshold), 1.0, 0.0)

    return builder.formula("above", answer, tensor)
