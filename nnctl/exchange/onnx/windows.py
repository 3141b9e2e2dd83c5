"""Convolution, pooling, enlarging, over (batch, *spatial, channels), which ONNX has as (batch, channels, *spatial)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnctl.exchange.onnx.emitters import fixed, says
from nnctl.exchange.onnx.formulas import number
from nnctl.exchange.onnx.lengths import Length
from nnctl.exchange.onnx.moving import numbers
from nnctl.exchange.onnx.writer import Given, Operand, Writer
from nnctl.graph.ir import Node
from nnctl.ops.resampling import shares
from nnctl.ops.resizing import applied_taps


def _channels_first(w: Writer, x: Given, rank: int) -> Given:
    return w.transpose(x, (0, rank + 1, *range(1, rank + 1)))


def _channels_last(w: Writer, x: Given, rank: int) -> Given:
    return w.transpose(x, (0, *range(2, rank + 2), 1))


def _kernel(w: Writer, weight: Operand) -> Given:
    """(*kernel, channels, filters) as (filters, channels, *kernel)."""
    rank = len(weight.shape) - 2
    return w.transpose(weight, (rank + 1, rank, *range(rank)))


def _pads(padding: Any) -> list[int]:
    return [before for before, _ in padding] + [after for _, after in padding]


@says("convolution")
def _convolution(
    w: Writer, node: Node, x: Operand, weight: Operand, *, stride: Any, padding: Any, dilation: Any, groups: int
) -> Given:
    rank = len(weight.shape) - 2
    y = w.add(
        "Conv", _channels_first(w, x, rank), _kernel(w, weight),
        kernel_shape=weight.shape[:rank], strides=stride, pads=_pads(fixed(node, padding)), dilations=dilation,
        group=groups,
    )  # fmt: skip
    return _channels_last(w, y, rank)


@says("convolution_transpose")
def _convolution_transpose(
    w: Writer, node: Node, y: Operand, weight: Operand, *,
    lengths: Any, stride: Any, padding: Any, dilation: Any, groups: int,
) -> Given:  # fmt: skip
    rank = len(weight.shape) - 2
    kernel: Any = weight.shape[:rank]
    extra = []
    for length, there, k, s, d, pair in zip(lengths, y.shape[1:-1], kernel, stride, dilation, padding, strict=True):
        positions = Length.of(there)
        covered = Length(s * positions.per_step, s * (positions.more - 1) + d * (k - 1) + 1 - sum(pair))
        more = Length.of(length).minus(covered)
        extra.append(fixed(node, length) if more is None else more)
    x = w.add(
        "ConvTranspose", _channels_first(w, y, rank), _kernel(w, weight),
        kernel_shape=kernel, strides=stride, pads=_pads(padding), dilations=dilation, group=groups,
        output_padding=extra,
    )  # fmt: skip
    return _channels_last(w, x, rank)


@says("max_pool")
def _max_pool(w: Writer, node: Node, x: Operand, *, size: Any, stride: Any, padding: Any, dilation: Any) -> Given:
    rank = len(size)
    if tuple(size) == tuple(x.shape[1:-1]) and not any(map(any, padding)):
        return w.add("ReduceMax", x, axes=list(range(1, rank + 1)), keepdims=1)
    images, pads = _channels_first(w, x, rank), _pads(fixed(node, padding))
    if any(max(pair) >= n for n, pair in zip(fixed(node, size), padding, strict=True)):
        # Runtimes take no padding of a kernel's size, which dilation allows.
        wide = [0, 0, *pads[:rank], 0, 0, *pads[rank:]]
        images, pads = w.add("Pad", images, numbers(*wide), number(-math.inf)), [0] * 2 * rank
    y = w.add(
        "MaxPool", images,
        kernel_shape=fixed(node, size), strides=fixed(node, stride), pads=pads, dilations=dilation,
    )  # fmt: skip
    return _channels_last(w, y, rank)


@says("sum_pool")
def _sum_pool(w: Writer, node: Node, x: Operand, *, size: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    rank = len(size)
    if any(d > 1 for d in dilation):
        # AveragePool has no dilation before opset 19.
        ones, channels = _ones(node, size, x)
        return _convolution(
            w, node, x, ones, stride=fixed(node, stride), padding=padding, dilation=dilation, groups=channels
        )
    y = w.add(
        "AveragePool", _channels_first(w, x, rank), kernel_shape=fixed(node, size), strides=fixed(node, stride),
        pads=_pads(fixed(node, padding)), count_include_pad=1,
    )  # fmt: skip
    return w.add("Mul", _channels_last(w, y, rank), number(float(math.prod(size))))


def _ones(node: Node, size: Any, x: Operand) -> tuple[Operand, int]:
    """The kernel of a sum over windows of each channel by itself, and the number of channels."""
    channels: Any = x.shape[-1]
    shape = (*fixed(node, size), 1, channels)
    return Operand(f"{node.outputs[0].name}.ones", shape, "real", np.ones(shape)), channels


@says("window_counts")
def _window_counts(w: Writer, node: Node, *, lengths: Any, **_: Any) -> Any:
    # Of numbers it would have been computed before.
    return fixed(node, lengths)


@says("spread_pool")
def _spread_pool(
    w: Writer, node: Node, g: Operand, *, lengths: Any, size: Any, stride: Any, padding: Any, dilation: Any
) -> Any:
    rank = len(size)
    if tuple(size) == tuple(stride) and not any(map(any, padding)) and all(d == 1 for d in dilation):
        # Each pixel repeated.
        y = w.add(
            "Resize", _channels_first(w, g, rank), None, np.array([1, 1, *size], np.float32),
            mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip
        return _channels_last(w, y, rank)
    ones, channels = _ones(node, size, g)
    return _convolution_transpose(
        w, node, g, ones, lengths=lengths, stride=stride, padding=padding, dilation=dilation, groups=channels
    )


@says("resize")
def _resize(w: Writer, node: Node, x: Operand, *, axis: int, lengths: tuple[int, int], **how: Any) -> Given:
    # A product with the shares: of Resize, runtimes have not all of the rules that the standard has.
    matrix = np.zeros((lengths[0], lengths[1]))
    for made, row in enumerate(applied_taps("resize", lengths, how)):
        for place, weight in row:
            matrix[place, made] = weight
    order = list(range(len(fixed(node, x.shape[1:])) + 1))
    order[axis], order[-1] = order[-1], order[axis]
    shares_of = Operand(f"{node.outputs[0].name}.shares", matrix.shape, "real", matrix)
    return w.transpose(w.add("MatMul", w.transpose(x, tuple(order)), shares_of), tuple(order))


@says("interpolate")
def _interpolate(w: Writer, node: Node, x: Operand, *, axis: int, factor: int) -> Given:
    # Put together of slices: what Resize makes of one axis in the middle, runtimes do not agree on.
    def part(start: int, stop: int) -> str:
        return w.add("Slice", x, numbers(start), numbers(stop), numbers(axis))

    end = np.iinfo(np.int64).max
    before = w.add("Concat", part(0, 1), part(0, -1), axis=axis)
    after = w.add("Concat", part(1, end), part(-1, end), axis=axis)
    samples = []
    for offset, share in shares(factor):
        neighbour = before if offset < 0.0 else after
        own = w.add("Mul", x, number(share))
        sample = w.add("Add", own, w.add("Mul", neighbour, number(1.0 - share)))
        samples.append(w.add("Unsqueeze", sample, numbers(axis + 1)))
    return w.add("Reshape", w.add("Concat", *samples, axis=axis + 1), w.dims(node.outputs[0].shape, inferred=True))
