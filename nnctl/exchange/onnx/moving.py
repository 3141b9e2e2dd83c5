"""Ops that move elements, reduce them, look rows up and multiply matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnctl.exchange.onnx.emitters import says
from nnctl.exchange.onnx.formulas import FLOAT, number
from nnctl.exchange.onnx.writer import Given, Operand, Writer
from nnctl.graph.ir import Node
from nnctl.ops.table import normalized_axes

INT64 = 7
"""ONNX's number for the type of indices."""
_END = int(np.iinfo(np.int64).max)


def numbers(*values: int) -> Any:
    """Whole numbers as a node's input."""
    return np.array(values, np.int64)


@says("reshape")
def _reshape(w: Writer, node: Node, x: Operand, *, shape: Any) -> Given:
    return w.add("Reshape", x, w.dims(shape, inferred=True))


@says("concatenate")
def _concatenate(w: Writer, node: Node, *xs: Operand, axis: int) -> Given:
    return w.add("Concat", *xs, axis=axis % len(xs[0].shape))


@says("slice")
def _slice(w: Writer, node: Node, x: Operand, *, axis: int, start: Any, stop: Any) -> Given:
    return w.add("Slice", x, *(_place(w, x.shape[axis], place) for place in (start, stop)), numbers(axis))


def _place(w: Writer, length: Any, place: Any) -> Given:
    """A place on an axis; of one whose length is not known, counted from its end."""
    if isinstance(place, int):
        of_end: int | None = place
    elif (of_end := place.minus(length)) == 0:
        of_end = _END
    return w.dims((place,)) if of_end is None else numbers(of_end)


@says("pad")
def _pad(w: Writer, node: Node, x: Operand, *, axis: int, before: int, after: int) -> Given:
    rank = len(x.shape)
    around = np.zeros(2 * rank, np.int64)
    around[axis], around[rank + axis] = before, after
    return w.add("Pad", x, around, mode="constant")


@says("broadcast_to")
def _broadcast_to(w: Writer, node: Node, x: Operand, *, shape: Any) -> Given:
    return w.add("Expand", x, w.dims(shape))


@says("zeros")
def _zeros(w: Writer, node: Node, *, shape: Any) -> Given:
    return w.add("ConstantOfShape", w.dims(shape))


@says("size")
def _size(w: Writer, node: Node, *, shape: Any) -> Given:
    return w.add("Cast", w.add("ReduceProd", w.dims(shape), keepdims=0), to=FLOAT)


@says("stop_gradient")
def _same(w: Writer, node: Node, x: Operand) -> Given:
    return x


@says("cast")
def _cast(w: Writer, node: Node, x: Operand) -> Given:
    return w.add("Cast", x, to=FLOAT)


@says("as_index")
def _as_index(w: Writer, node: Node, x: Operand) -> Given:
    return w.add("Cast", x, to=INT64)


@says("differs")
def _differs(w: Writer, node: Node, x: Operand, *, value: float) -> Given:
    if x.dtype == "index":
        # Indices are whole: none of them is a number between.
        same = w.add("Equal", w.add("Cast", x, to=FLOAT), number(value))
        return w.add("Cast", w.add("Not", same), to=INT64)
    others = w.add("Cast", w.add("Not", w.add("Equal", x, number(value))), to=INT64)
    return w.add("ReduceMax", others, axes=[len(x.shape) - 1], keepdims=0)


@says("gather", "lookup")
def _lookup(w: Writer, node: Node, table: Operand, index: Operand) -> Given:
    return w.add("Gather", table, index, axis=0)


@says("one_hot")
def _one_hot(w: Writer, node: Node, index: Operand, *, classes: int) -> Given:
    return w.add("OneHot", index, numbers(classes), np.array([0.0, 1.0], np.float32), axis=-1)


@says("argmax")
def _argmax(w: Writer, node: Node, x: Operand) -> Given:
    return w.add("ArgMax", x, axis=len(x.shape) - 1, keepdims=0)


@says("same")
def _equal(w: Writer, node: Node, a: Operand, b: Operand) -> Given:
    return w.add("Cast", w.add("Equal", a, b), to=FLOAT)


@says("softmax")
def _softmax(w: Writer, node: Node, z: Operand) -> Given:
    return w.add("Softmax", z, axis=-1)


@says("sum")
def _sum(w: Writer, node: Node, x: Operand, *, axes: tuple[int, ...], keepdims: bool = False) -> Given:
    return w.add("ReduceSum", x, numbers(*normalized_axes(axes, len(x.shape))), keepdims=int(keepdims))


@says("mean")
def _mean(w: Writer, node: Node, x: Operand, *, axes: tuple[int, ...], keepdims: bool = False) -> Given:
    return w.add("ReduceMean", x, axes=normalized_axes(axes, len(x.shape)), keepdims=int(keepdims))


@says("max")
def _max(w: Writer, node: Node, x: Operand, *, axes: tuple[int, ...], keepdims: bool = False) -> Given:
    return w.add("ReduceMax", x, axes=normalized_axes(axes, len(x.shape)), keepdims=int(keepdims))


@says("matmul")
def _matmul(
    w: Writer, node: Node, a: Operand, b: Operand, *, transpose_a: bool = False, transpose_b: bool = False
) -> Given:
    left, right = (w.transpose(x, (1, 0)) if turned else x for x, turned in ((a, transpose_a), (b, transpose_b)))
    return w.add("MatMul", left, right)
