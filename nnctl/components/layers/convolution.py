"""Convolutional layers: local receptive fields, weights shared by all positions."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

from nnctl.components.activations import Linear
from nnctl.components.base import Activation, Initializer, Layer, Regularizer
from nnctl.components.builder import Builder, UnitView
from nnctl.components.fields import Convention, NonNegativeInt, PositiveInt
from nnctl.components.layers.parameters import bias_problems, with_bias
from nnctl.components.layers.shapes import numbers, show
from nnctl.components.layers.spatial import (
    CONVENTION_WORDS,
    PADDING_WORDS,
    AnyPadding,
    Padding,
    Padding1d,
    Padding3d,
    Pairs,
    PerAnyAxis,
    PerAxis,
    PerAxis3d,
    Window,
    check_fit,
    padding_pairs,
    per_axis,
    reach_of,
    spatial,
)
from nnctl.components.layers.volumes import convolution
from nnctl.components.registry import Problem, register
from nnctl.errors import ShapeError
from nnctl.late import dataclass

_LINEAR = Linear()
_CUT_WORDS = "what is cut off at each side: 'valid' nothing, 'same' so much that the length is stride·n, or how many"
_EXTRA_WORDS = "zeros after the end, that an input longer by less than a stride is got back"


@dataclass(frozen=True, kw_only=True)
class _Convolving(Layer):
    """Base of convolutions and their transposes, whose fields layers narrow to their number of axes.

    As in the libraries, the fans are the last two axes of the weights times the positions of the kernel.
    """

    rank: ClassVar[int]

    filters: Annotated[PositiveInt, "how many feature maps"]
    kernel: Annotated[PerAnyAxis, "size of the local receptive field"]
    stride: Annotated[PerAnyAxis, "how far the field moves"] = 1
    padding: Annotated[AnyPadding, PADDING_WORDS] = "valid"
    dilation: Annotated[PerAnyAxis, "how far the inputs of one field lie apart"] = 1
    groups: Annotated[PositiveInt, "the filters of a group see the channels of that group alone"] = 1
    activation: Annotated[Activation, "f in a = f(z)"] = _LINEAR
    bias: Annotated[bool, "whether each filter has a bias"] = True
    initializer: Annotated[Initializer | None, "of the weights; the spec's if absent"] = None
    bias_initializer: Annotated[Initializer | None, "of the biases; the spec's if absent"] = None
    regularizer: Annotated[Regularizer | None, "on the weights; the spec's if absent"] = None
    bias_regularizer: Annotated[Regularizer | None, "on the biases; none if absent"] = None
    convention: Annotated[Convention | None, CONVENTION_WORDS] = None

    @property
    def output_activation(self) -> Activation:
        return self.activation

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = numbers(self.type, inputs)
        lengths = spatial(self.type, x, (self.rank,))
        channels = x.shape[-1]
        if channels % self.groups:
            raise ShapeError(
                f"{self.type} cannot divide the {channels} channels of its input {show(x.shape)} "
                f"into {self.groups} groups",
                f"use a number of groups that divides {channels}"
                if channels > 1
                else "one channel is one group: groups: 1",
            )
        kernel = self._per_axis("kernel")
        shape = (*kernel, *self.connections(channels))
        fans = (math.prod(shape[:-1]), math.prod(kernel) * shape[-1])
        weight = builder.parameter(
            "weight", shape, kind="weight", fans=fans, initializer=self.initializer, regularizer=self.regularizer,
            units=self.by_filter(shape),
        )  # fmt: skip
        z = self.convolve(builder, x, weight, lengths)
        return self.activation.build(builder, with_bias(self, builder, z, fans))

    def connections(self, channels: int) -> tuple[int, int]:
        """The last two axes of the weights."""
        raise NotImplementedError

    def by_filter(self, shape: tuple[int, ...]) -> UnitView | None:
        """The view of weights of that shape by filter; None where the last axis is that of the filters."""
        return None

    def convolve(self, builder: Builder, x: Any, weight: Any, lengths: Window) -> Any:
        """The weighted input without bias."""
        raise NotImplementedError

    def problems(self) -> list[Problem]:
        if not self.filters % self.groups:
            return bias_problems(self)
        message = f"{self.filters} filters do not divide into {self.groups} groups"
        return [Problem("groups", message, "make filters a multiple of groups"), *bias_problems(self)]

    def _per_axis(self, field: str) -> Window:
        return per_axis(self.type, field, getattr(self, field), self.rank)

    def _reach(self) -> Window:
        return reach_of(self._per_axis("kernel"), self._per_axis("dilation"))

    def _pairs(self, lengths: Window) -> Pairs:
        convention = self.settled("convention")
        return padding_pairs(self.type, self.padding, lengths, self._reach(), self._per_axis("stride"), convention)

    def _window(self, pairs: Pairs) -> dict[str, Any]:
        return {
            "stride": self._per_axis("stride"),
            "padding": pairs,
            "dilation": self._per_axis("dilation"),
            "groups": self.groups,
        }


class _Convolution(_Convolving):
    """y from x."""

    formula = "z[p, f] = Σ_k,c x[p·stride + k·dilation, c]·w[k, c, f] + b[f], a = f(z)"

    def connections(self, channels: int) -> tuple[int, int]:
        return channels // self.groups, self.filters

    def convolve(self, builder: Builder, x: Any, weight: Any, lengths: Window) -> Any:
        pairs = self._pairs(lengths)
        check_fit(self.type, "kernel", x, self._reach(), pairs)
        return convolution(builder, x, weight, self._window(pairs))


@dataclass(frozen=True, kw_only=True)
class _ConvTranspose(_Convolving):
    """Lengths: stride·(n − 1) + dilation·(kernel − 1) + 1 − 2·padding + output_padding.

    With 'same', stride·n: what the convolution with 'same' makes n of. By Keras's convention 'valid' gives stride·n at
    least, where the kernel is shorter than the stride.
    """

    formula = "z[p·stride + k·dilation, f] = Σ_p,c x[p, c]·w[k, f, c] + b[f], a = f(z)"

    padding: Annotated[AnyPadding, _CUT_WORDS] = "valid"
    output_padding: Annotated[NonNegativeInt | tuple[NonNegativeInt, NonNegativeInt], _EXTRA_WORDS] = 0

    def connections(self, channels: int) -> tuple[int, int]:
        return self.filters // self.groups, channels

    def by_filter(self, shape: tuple[int, ...]) -> UnitView | None:
        *kernel, filters, channels = shape
        axes = (*range(len(kernel)), len(kernel) + 2)
        return (*kernel, filters, self.groups, channels // self.groups), axes

    def convolve(self, builder: Builder, x: Any, weight: Any, lengths: Window) -> Any:
        stride, reach = self._per_axis("stride"), self._reach()
        if self.padding == "same":
            outputs = tuple(n * s for n, s in zip(lengths, stride))
            pairs = self._pairs(outputs)
        else:
            pairs = self._pairs(lengths)
            extra = self._per_axis("output_padding")
            if self.padding == "valid" and self.settled("convention") == "keras":
                # Keras makes stride·n outputs of n, however short the kernel.
                extra = tuple(max(e, s - r) for e, s, r in zip(extra, stride, reach))
            outputs = tuple(
                s * (n - 1) + r - sum(pair) + e for n, s, r, pair, e in zip(lengths, stride, reach, pairs, extra)
            )
            if min(outputs) < 1:
                raise ShapeError(
                    f"{self.type} would make an output of {show(outputs)} from its input {show(x.shape)}: "
                    f"padding {show([before for before, _ in pairs])} takes it all away",
                    "use less padding",
                )
        return builder.apply("convolution_transpose", x, weight, lengths=outputs, **self._window(pairs))

    def problems(self) -> list[Problem]:
        problems = super().problems()
        extra, stride = (v if isinstance(v, tuple) else (v,) * 2 for v in (self.output_padding, self.stride))
        if any(extra) and self.padding == "same":
            message = "output_padding has nothing to do with padding 'same', which settles the size"
            problems.append(Problem("output_padding", message, "remove one of the two"))
        elif any(e >= s for e, s in zip(extra, stride)):
            message = f"output_padding must be below the stride, found {self.output_padding} and {self.stride}"
            problems.append(Problem("output_padding", message, "what lies beyond a stride no input reaches"))
        return problems


@register("layer", "conv2d")
class Conv2d(_Convolution):
    """Convolution over images: (batch, height, width, channels) → (batch, rows, columns, filters).

    Each output looks at a local receptive field; all outputs of a filter share its weights (LeCun et al. 1998).
    Parameters: `weight` (kernel_h, kernel_w, channels/groups, filters), `bias` (filters,).

    First values where neither layer nor spec names an initializer: torch, all U(±1/√fan_in); keras, Glorot's
    uniform weights, zero biases; book, weights N(0, 1/fan_in), biases N(0, 1).
    """

    example = "{type: conv2d, filters: 20, kernel: 5, padding: same, activation: relu}"

    rank = 2

    kernel: Annotated[PerAxis, "size of the local receptive field, one number or [height, width]"]
    stride: Annotated[PerAxis, "how far the field moves, one number or [height, width]"] = 1
    padding: Annotated[Padding, PADDING_WORDS] = "valid"
    dilation: Annotated[PerAxis, "how far the inputs of one field lie apart"] = 1


@register("layer", "conv1d")
class Conv1d(_Convolution):
    """Convolution over sequences: (batch, length, channels) → (batch, positions, filters).

    Parameters: `weight` (kernel, channels/groups, filters), `bias` (filters,).

    First values where neither layer nor spec names an initializer: torch, all U(±1/√fan_in); keras, Glorot's
    uniform weights, zero biases; book, weights N(0, 1/fan_in), biases N(0, 1).
    """

    example = "{type: conv1d, filters: 16, kernel: 5, activation: relu}"

    rank = 1

    kernel: Annotated[PositiveInt, "size of the local receptive field"]
    stride: Annotated[PositiveInt, "how far the field moves"] = 1
    padding: Annotated[Padding1d, PADDING_WORDS] = "valid"
    dilation: Annotated[PositiveInt, "how far the inputs of one field lie apart"] = 1


@register("layer", "conv3d")
class Conv3d(_Convolution):
    """Convolution over volumes: (batch, depth, height, width, channels) → (batch, *positions, filters).

    Parameters: `weight` (kernel_d, kernel_h, kernel_w, channels/groups, filters), `bias` (filters,).

    First values where neither layer nor spec names an initializer: torch, all U(±1/√fan_in); keras, Glorot's
    uniform weights, zero biases; book, weights N(0, 1/fan_in), biases N(0, 1).
    """

    example = "{type: conv3d, filters: 8, kernel: 3, padding: same, activation: relu}"

    rank = 3

    kernel: Annotated[PerAxis3d, "size of the local receptive field, one number or [depth, height, width]"]
    stride: Annotated[PerAxis3d, "how far the field moves, one number or [depth, height, width]"] = 1
    padding: Annotated[Padding3d, PADDING_WORDS] = "valid"
    dilation: Annotated[PerAxis3d, "how far the inputs of one field lie apart"] = 1


@register("layer", "conv_transpose2d")
class ConvTranspose2d(_ConvTranspose):
    """The transpose of conv2d, which enlarges: (batch, rows, columns, channels) → (batch, height, width, filters).

    Parameters: `weight` (kernel_h, kernel_w, filters/groups, channels), that of the convolution
    it is the transpose of, `bias` (filters,). See Dumoulin & Visin 2016.
    """

    example = "{type: conv_transpose2d, filters: 8, kernel: 4, stride: 2}"

    rank = 2

    kernel: Annotated[PerAxis, "size of the local receptive field, one number or [height, width]"]
    stride: Annotated[PerAxis, "how far the field moves, one number or [height, width]"] = 1
    padding: Annotated[Padding, _CUT_WORDS] = "valid"
    dilation: Annotated[PerAxis, "how far the outputs of one field lie apart"] = 1


@register("layer", "conv_transpose1d")
class ConvTranspose1d(_ConvTranspose):
    """The transpose of conv1d, which lengthens: (batch, positions, channels) → (batch, length, filters).

    Parameters: `weight` (kernel, filters/groups, channels), `bias` (filters,).
    """

    example = "{type: conv_transpose1d, filters: 8, kernel: 4, stride: 2}"

    rank = 1

    kernel: Annotated[PositiveInt, "size of the local receptive field"]
    stride: Annotated[PositiveInt, "how far the field moves"] = 1
    padding: Annotated[Padding1d, _CUT_WORDS] = "valid"
    dilation: Annotated[PositiveInt, "how far the outputs of one field lie apart"] = 1
    output_padding: Annotated[NonNegativeInt, _EXTRA_WORDS] = 0
