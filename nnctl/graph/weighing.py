"""Means of costs: examples that count more than others, and labels that count nothing."""

from __future__ import annotations

from nnctl.components.base import Array, Namespace
from nnctl.components.builder import among_counted
from nnctl.errors import ShapeError
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.tensor import Tensor
from nnctl.ops.shapes import BATCH, show


def mean_cost(
    builder: GraphBuilder, terms: Tensor, shares: Tensor | None, weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """(mean cost (), its share in a mean over batches ()) of a batch: Σ w·m·c / Σ m·v, and Σ m·v.

    terms: c·v, what `Cost.build` gives, (batch,) or (batch, time); shares: v, its weights of classes, None for 1.
    weights: w, of examples or of their labels, None for 1. m: `builder.counted`, 1 where all labels count.

    By v the mean divides, as those of PyTorch and of ONNX do, and by w not: over the training set the mean of w
    is 1, so that with w the mean of a batch is an unbiased one of the whole set's, however few the batch has. A batch
    without a label that counts costs 0. Raises ShapeError where the cost is not of each label, and has to be.
    """
    axes = tuple(range(len(terms.shape)))
    counted = builder.counted
    if len(terms.shape) < builder.label_axes:
        raise ShapeError(
            f"this cost is one number an example, {show(terms.shape)}, and labels count one by one",
            "use another cost, or remove data.ignore and data.weights",
            path="cost",
        )
    if weights is not None:
        beside = builder.apply("reshape", weights, shape=(*weights.shape, *(1,) * (len(axes) - len(weights.shape))))
        terms = builder.formula("weighted", _product, terms, beside)
    if counted is None:
        # Of sequences with a label a step, every step counts alike.
        if shares is None:
            return builder.apply("mean", terms, axes=axes), builder.apply("size", shape=(BATCH,))
        weight = builder.apply("sum", shares, axes=axes)
        return builder.apply("sum", terms, axes=axes) / weight, weight
    terms = among_counted(builder, terms)
    weight = builder.apply("sum", counted if shares is None else shares * counted, axes=axes)
    return builder.formula("quotient", _quotient, builder.apply("sum", terms, axes=axes), weight), weight


def _product(xp: Namespace, c: Array, w: Array) -> Array:
    return c * w


def _quotient(xp: Namespace, total: Array, weight: Array) -> Array:
    return total / xp.where(xp.greater(weight, 0.0), weight, 1.0)
