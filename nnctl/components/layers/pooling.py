"""Pooling layers, which condense a feature map, and upsampling, which enlarges it. They have no parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from nnctl.components.base import Array, Layer, Namespace
from nnctl.components.builder import Builder
from nnctl.components.fields import Convention
from nnctl.components.layers.shapes import numbers
from nnctl.components.layers.spatial import (
    CONVENTION_WORDS,
    PADDING_WORDS,
    Padding,
    PerAxis,
    check_fit,
    padding_pairs,
    per_axis,
    spatial,
)
from nnctl.components.registry import Problem, register


@dataclass(frozen=True, kw_only=True)
class _Pool(Layer):
    """(batch, *spatial, channels) → (batch, *positions, channels), over one or two spatial axes."""

    size: Annotated[PerAxis, "of the window, one number or [height, width]"] = 2
    stride: Annotated[PerAxis | None, "how far the window moves; its size if absent"] = None
    padding: Annotated[Padding, PADDING_WORDS] = "valid"
    convention: Annotated[Convention | None, CONVENTION_WORDS] = None

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = numbers(self.type, inputs)
        lengths = spatial(self.type, x)
        size = per_axis(self.type, "size", self.size, len(lengths))
        stride = size if self.stride is None else per_axis(self.type, "stride", self.stride, len(lengths))
        pairs = padding_pairs(self.type, self.padding, lengths, size, stride, self.settled("convention"))
        check_fit(self.type, "window", x, size, pairs)
        return self.pool(builder, x, {"size": size, "stride": stride, "padding": pairs})

    def pool(self, builder: Builder, x: Any, window: Mapping[str, Any]) -> Any:
        """The pooled map. window: size, stride and padding, as the ops take them."""
        raise NotImplementedError

    def problems(self) -> list[Problem]:
        if isinstance(self.padding, str):
            return []
        size, padding = (v if isinstance(v, tuple) else (v,) * 2 for v in (self.size, self.padding))
        if all(p < n for p, n in zip(padding, size)):
            return []
        message = "padding must be below size: a window in the padding alone has nothing to pool"
        return [Problem("padding", message, "with padding: same, stride 1 keeps the size")]


@register("layer", "max_pool")
class MaxPool(_Pool):
    """The largest activation of each window; of equal ones the first gets the gradient. Padding never counts."""

    formula = "a[p, c] = max_k x[p·stride + k, c]"
    example = "{type: max_pool, size: 2}"

    def pool(self, builder: Builder, x: Any, window: Mapping[str, Any]) -> Any:
        return builder.apply("max_pool", x, **window)


@register("layer", "average_pool")
class AveragePool(_Pool):
    """The mean of each window."""

    formula = "a[p, c] = 1/K Σ_k x[p·stride + k, c]"
    example = "{type: average_pool, size: 2}"
    by_convention: ClassVar[Mapping[str, Mapping[str, Any]]] = {"count_padding": {"torch": True, "keras": False}}

    count_padding: Annotated[
        bool | None, "whether K counts the padding; true by PyTorch's convention, false by Keras's"
    ] = None

    def pool(self, builder: Builder, x: Any, window: Mapping[str, Any]) -> Any:
        total = builder.apply("sum_pool", x, **window)
        if self.settled("count_padding") or not any(map(any, window["padding"])):
            return total * (1.0 / math.prod(window["size"]))
        return total / builder.apply("window_counts", lengths=x.shape[1:-1], **window)


@register("layer", "l2_pool")
class L2Pool(_Pool):
    """The square root of the sum of each window's squares; derivative 0 where all of them are 0."""

    formula = "a[p, c] = √(Σ_k x[p·stride + k, c]²)"
    example = "{type: l2_pool, size: 2}"

    def pool(self, builder: Builder, x: Any, window: Mapping[str, Any]) -> Any:
        def root(xp: Namespace, total: Array) -> Array:
            # Behind relus whole windows are 0, where the root's slope is infinite: keep it out of the product.
            # A NaN is not 0, and comes out.
            nothing = xp.equal(total, 0.0)
            return xp.where(nothing, 0.0, xp.sqrt(xp.where(nothing, 1.0, total)))

        return builder.formula("root", root, builder.apply("sum_pool", x * x, **window))


@register("layer", "global_average_pool")
class GlobalAveragePool(Layer):
    """The mean of each channel: (batch, *spatial, channels) → (batch, channels), after Lin, Chen & Yan 2014."""

    formula = "a[c] = mean_p x[p, c]"

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = numbers(self.type, inputs)
        return builder.apply("mean", x, axes=tuple(range(1, 1 + len(spatial(self.type, x)))))


@register("layer", "global_max_pool")
class GlobalMaxPool(Layer):
    """The largest activation of each channel: (batch, *spatial, channels) → (batch, channels)."""

    formula = "a[c] = max_p x[p, c]"

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = numbers(self.type, inputs)
        lengths = spatial(self.type, x)
        pooled = builder.apply("max_pool", x, size=lengths, stride=lengths, padding=((0, 0),) * len(lengths))
        return builder.apply("reshape", pooled, shape=(x.shape[0], x.shape[-1]))


@register("layer", "upsample")
class Upsample(Layer):
    """Each spatial axis made `factor` times as long: pixels repeated, or lines drawn between their centres.

    Bilinear as PyTorch (align_corners=False) and Keras have it: the new pixels
    divide the old ones evenly, and the outermost keep their value.
    """

    formula = "nearest: a[f·p + k, c] = x[p, c]"
    example = "{type: upsample, factor: 2, interpolation: bilinear}"

    factor: Annotated[PerAxis, "how many times as long, one number or [height, width]"] = 2
    interpolation: Annotated[Literal["nearest", "bilinear"], "repeat pixels, or interpolate between them"] = "nearest"

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = numbers(self.type, inputs)
        lengths = spatial(self.type, x)
        factors = per_axis(self.type, "factor", self.factor, len(lengths))
        if self.interpolation == "bilinear":
            for axis, factor in enumerate(factors, start=1):
                x = builder.apply("interpolate", x, axis=axis, factor=factor) if factor > 1 else x
            return x
        longer = tuple(n * f for n, f in zip(lengths, factors))
        window = {"size": factors, "stride": factors, "padding": ((0, 0),) * len(lengths)}
        return builder.apply("spread_pool", x, lengths=longer, **window)
