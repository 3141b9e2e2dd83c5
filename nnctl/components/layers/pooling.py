"""Pooling layers, which condense a feature map, and upsampling, which enlarges it. They have no parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge

from nnctl.components.base import Array, Layer, Namespace
from nnctl.components.builder import Builder
from nnctl.components.fields import Convention
from nnctl.components.layers.shapes import numbers, show
from nnctl.components.layers.spatial import (
    CONVENTION_WORDS,
    PADDING_WORDS,
    AnyPadding,
    Pairs,
    PerAnyAxis,
    beyond,
    check_fit,
    padding_pairs,
    per_axis,
    reach_of,
    spatial,
)
from nnctl.components.layers.volumes import pooled, side_by_side, spread, window_counts
from nnctl.components.registry import Problem, register
from nnctl.errors import ShapeError
from nnctl.late import dataclass

_PRODUCTS = (1.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
"""Powers that are made of products, which are faster than any other."""
_BEYOND_WORDS = "whether a last window that begins inside may reach over the end: ⌈…⌉ positions, not ⌊…⌋"


@dataclass(frozen=True, kw_only=True)
class _Pool(Layer):
    """(batch, *spatial, channels) → (batch, *positions, channels), over one to three spatial axes."""

    size: Annotated[PerAnyAxis, "of the window, one number, [height, width] or [depth, height, width]"] = 2
    stride: Annotated[PerAnyAxis | None, "how far the window moves; its size if absent"] = None
    padding: Annotated[AnyPadding, PADDING_WORDS] = "valid"
    dilation: Annotated[PerAnyAxis, "how far the inputs of one window lie apart"] = 1
    ceil_mode: Annotated[bool, _BEYOND_WORDS] = False
    convention: Annotated[Convention | None, CONVENTION_WORDS] = None

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = numbers(self.type, inputs)
        lengths = spatial(self.type, x)
        size = per_axis(self.type, "size", self.size, len(lengths))
        stride = size if self.stride is None else per_axis(self.type, "stride", self.stride, len(lengths))
        dilation = per_axis(self.type, "dilation", self.dilation, len(lengths))
        reach = reach_of(size, dilation)
        pairs = padding_pairs(self.type, self.padding, lengths, reach, stride, self.settled("convention"))
        check_fit(self.type, "window", x, reach, pairs)
        longer = beyond(lengths, reach, stride, pairs) if self.ceil_mode else pairs
        # Only where the places of a window lie further apart than the input is long can all be in the padding.
        if any(any(pair) and d > n for pair, n, d in zip(longer, lengths, dilation)):
            raise ShapeError(
                f"{self.type} has dilation {show(dilation)} and padding on its input {show(x.shape)}, which is only "
                f"{show(lengths)}: a window in the padding alone has nothing to pool",
                "use a dilation that is no longer than the input",
            )
        window = {"size": size, "stride": stride, "padding": longer, "dilation": dilation}
        return self.pool(builder, x, window, pairs)

    def pool(self, builder: Builder, x: Any, window: Mapping[str, Any], padding: Pairs) -> Any:
        """The pooled map.

        window: size, stride, padding and dilation, as the ops take them. padding: without what only `ceil_mode` adds.
        """
        raise NotImplementedError

    def problems(self) -> list[Problem]:
        if isinstance(self.padding, str):
            return []
        given = (self.size, self.dilation, self.padding)
        rank = max(len(v) if isinstance(v, tuple) else 1 for v in given)
        size, dilation, padding = (v if isinstance(v, tuple) else (v,) * rank for v in given)
        if all(p <= d * (n - 1) for p, n, d in zip(padding, size, dilation)):
            return []
        message = "padding must be below size: a window in the padding alone has nothing to pool"
        return [Problem("padding", message, "with padding: same, stride 1 keeps the size")]


@register("layer", "max_pool")
class MaxPool(_Pool):
    """The largest activation of each window; of equal ones the first gets the gradient. Padding never counts."""

    formula = "a[p, c] = max_k x[p·stride + k·dilation, c]"
    example = "{type: max_pool, size: 2}"

    def pool(self, builder: Builder, x: Any, window: Mapping[str, Any], padding: Pairs) -> Any:
        return pooled(builder, "max_pool", x, window)


@register("layer", "average_pool")
class AveragePool(_Pool):
    """The mean of each window. What lies beyond input and padding, with `ceil_mode`, never counts."""

    formula = "a[p, c] = 1/K Σ_k x[p·stride + k·dilation, c]"
    example = "{type: average_pool, size: 2}"
    by_convention: ClassVar[Mapping[str, Mapping[str, Any]]] = {"count_padding": {"torch": True, "keras": False}}

    count_padding: Annotated[
        bool | None, "whether K counts the padding; true by PyTorch's convention, false by Keras's"
    ] = None

    def pool(self, builder: Builder, x: Any, window: Mapping[str, Any], padding: Pairs) -> Any:
        total = pooled(builder, "sum_pool", x, window)
        lengths, around = x.shape[1:-1], window["padding"]
        if self.settled("count_padding"):
            lengths = tuple(n + sum(pair) for n, pair in zip(lengths, padding))
            around = tuple((0, after - less) for (_, after), (_, less) in zip(around, padding))
        if not any(map(any, around)):
            return total * (1.0 / math.prod(window["size"]))
        return total / window_counts(builder, lengths, {**window, "padding": around})


class _Norm(Layer):
    """The p-norms of numbers that belong together."""

    @property
    def power(self) -> float:
        """The p of the norm."""
        raise NotImplementedError

    def terms(self, builder: Builder, x: Any) -> Any:
        """|x|^p."""
        p = self.power
        if p == 2.0:
            return x * x

        def power(xp: Namespace, a: Array) -> Array:
            if p not in _PRODUCTS:
                return xp.power(xp.abs(a), p)
            size = xp.abs(a)
            result = size if p % 2.0 else xp.square(size)
            for _ in range(int(p - 1.0) // 2):
                result = result * xp.square(size)
            return result

        return builder.formula("power", power, x)

    def root(self, builder: Builder, total: Any) -> Any:
        """The p-th root of sums of such terms."""
        p = self.power
        if p == 1.0:
            return total

        def root(xp: Namespace, total: Array) -> Array:
            # Behind relus whole windows are 0, where the root's slope is infinite: keep it out of the product.
            # A NaN is not 0, and comes out.
            nothing = xp.equal(total, 0.0)
            something = xp.where(nothing, 1.0, total)
            return xp.where(nothing, 0.0, xp.sqrt(something) if p == 2.0 else xp.power(something, 1.0 / p))

        return builder.formula("root", root, total)


class _NormPool(_Pool, _Norm):
    """The p-norm of each window."""

    def pool(self, builder: Builder, x: Any, window: Mapping[str, Any], padding: Pairs) -> Any:
        return self.root(builder, pooled(builder, "sum_pool", self.terms(builder, x), window))


@register("layer", "l2_pool")
class L2Pool(_NormPool):
    """The square root of the sum of each window's squares; derivative 0 where all of them are 0."""

    formula = "a[p, c] = √(Σ_k x[p·stride + k·dilation, c]²)"
    example = "{type: l2_pool, size: 2}"

    @property
    def power(self) -> float:
        return 2.0


@register("layer", "lp_pool")
class LpPool(_NormPool):
    """The p-norm of each window: sums of magnitudes with p 1, near the largest with a large p (Sermanet et al. 2012).

    Its derivative is taken as 0 where all of a window is 0.
    """

    formula = "a[p, c] = (Σ_k |x[p·stride + k·dilation, c]|^p)^(1/p)"
    example = "{type: lp_pool, size: 2, p: 3}"

    p: Annotated[Annotated[float, Ge(1)], "of the norm"] = 2.0

    @property
    def power(self) -> float:
        return self.p


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
        largest = pooled(builder, "max_pool", x, side_by_side(spatial(self.type, x)))
        return builder.apply("reshape", largest, shape=(x.shape[0], x.shape[-1]))


@register("layer", "global_lp_pool")
class GlobalLpPool(_Norm):
    """The p-norm of each channel: (batch, *spatial, channels) → (batch, channels); derivative 0 where all is 0."""

    formula = "a[c] = (Σ_q |x[q, c]|^p)^(1/p)"
    example = "{type: global_lp_pool, p: 3}"

    p: Annotated[Annotated[float, Ge(1)], "of the norm"] = 2.0

    @property
    def power(self) -> float:
        return self.p

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = numbers(self.type, inputs)
        axes = tuple(range(1, 1 + len(spatial(self.type, x))))
        return self.root(builder, builder.apply("sum", self.terms(builder, x), axes=axes))


@register("layer", "upsample")
class Upsample(Layer):
    """Each spatial axis made `factor` times as long: pixels repeated, or lines drawn between their centres.

    Bilinear as PyTorch (align_corners=False) and Keras have it: the new pixels
    divide the old ones evenly, and the outermost keep their value.
    """

    formula = "nearest: a[f·p + k, c] = x[p, c]"
    example = "{type: upsample, factor: 2, interpolation: bilinear}"

    factor: Annotated[PerAnyAxis, "how many times as long, one number, [height, width] or [depth, height, width]"] = 2
    interpolation: Annotated[Literal["nearest", "bilinear"], "repeat pixels, or interpolate between them"] = "nearest"

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = numbers(self.type, inputs)
        lengths = spatial(self.type, x)
        factors = per_axis(self.type, "factor", self.factor, len(lengths))
        if self.interpolation == "bilinear":
            for axis, factor in enumerate(factors, start=1):
                x = builder.apply("interpolate", x, axis=axis, factor=factor) if factor > 1 else x
            return x
        return spread(builder, x, factors)
