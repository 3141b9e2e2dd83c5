"""The forms that targets and outputs have, for metrics that compare them."""

from __future__ import annotations

from typing import Any

from nnctl.components.builder import Builder


def labelled(output: Any, target: Any) -> bool:
    """True where targets are class indices, one axis short of the output; values have the output's shape."""
    return len(target.shape) == len(output.shape) - 1


def mean_of_units(builder: Builder, terms: Any) -> Any:
    """The mean over all axes but the batch's."""
    axes = tuple(range(1, len(terms.shape)))
    return builder.apply("mean", terms, axes=axes) if axes else terms


def values(builder: Builder, output: Any, target: Any) -> Any:
    """Targets with the output's shape: values as they are, labels as one-hot rows (a lone unit's as 0 and 1)."""
    if not labelled(output, target):
        return target
    if output.shape[-1] == 1:
        return builder.apply("reshape", builder.apply("cast", target), shape=output.shape)
    return builder.apply("one_hot", target, classes=output.shape[-1])
