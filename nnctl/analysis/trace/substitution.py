"""Numbers put into formulas: what an op computes for one element of its output, written out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nnctl.analysis.trace.stages import Array
from nnctl.graph.ir import Node
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.expression import Expression, Line, Ref
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.notation import render
from nnctl.ops.windows import Padding, Sizes, padded

TERMS = 8
"""Terms of a sum that are all written."""
FIRST_TERMS = 3
"""Terms that are written of a longer one: the first that are not 0."""
LONGEST = 400
"""Characters of a formula with its numbers; one that is longer is left out, for nobody reads it."""

_TWICE = re.compile(r"\((\(-[^()]+\))\)")
"""A negative number within two pairs of parentheses, as an argument."""
Index = tuple[int, ...]
Attributes = Mapping[str, Any]


class Writer:
    """Writes numbers. digits: significant ones."""

    def __init__(self, digits: int = 5) -> None:
        self.digits = digits

    def number(self, value: Any) -> str:
        """A number, in parentheses where a sign stands before it."""
        text = f"{float(value):.{self.digits}g}"
        return f"({text})" if text.startswith("-") else text

    def total(self, *factors: Array) -> str:
        """Σ of products of factors, each (terms,), the first of them written where there are many."""
        count = len(factors[0])
        chosen: Sequence[int] = range(count)
        rest = ""
        if count > TERMS:
            there = np.flatnonzero(np.all([factor != 0 for factor in factors], axis=0))
            chosen = [int(place) for place in there[:FIRST_TERMS]] or range(FIRST_TERMS)
            rest = f" + … ({count:,} terms{'' if len(there) == count else f', {len(there):,} of them not 0'})"
        return " + ".join("·".join(self.number(factor[i]) for factor in factors) for i in chosen) + rest or "0"

    def of(self, node: Node, arrays: Sequence[Array], attributes: Attributes, output: int, index: Index,
           written: Mapping[int, str] | None = None) -> str:  # fmt: skip
        """The calculation of element `index` of an output of a node; "" where numbers are only moved.

        arrays: of the node's inputs. written: inputs that stand there as texts and not as their values.
        """
        if isinstance(node.op, ElementwiseOp):
            return self._formula(node.op.expression, arrays, output, index, written or {})
        write = _WRITERS.get(node.op.name)
        text = "" if write is None else write(self, arrays, attributes, index)
        return text if len(text) <= LONGEST else ""

    def _formula(
        self, expression: Expression, arrays: Sequence[Array], output: int, index: Index, written: Mapping[int, str]
    ) -> str:
        values = [element(array, index) for array in arrays]
        names = [written.get(place) or self.number(value) for place, value in enumerate(values)]
        alone = _decided(expression, output, values)
        added = len(expression.lines) == 1 and expression.lines[0].primitive == "add"
        names = [f"({name})" if place in written and not added else name for place, name in enumerate(names)]
        text = _TWICE.sub(r"\1", render(alone, names)).replace(" * ", "·")
        return text if len(text) <= LONGEST else ""


def _decided(expression: Expression, output: int, values: Sequence[Any]) -> Expression:
    """The expression of one output with every choice between two formulas made, as these inputs make it."""
    xp = numpy_namespace()
    known: list[Any] = list(values)
    taken: dict[int, Ref] = {}

    def at(reference: Ref) -> Ref:
        return taken.get(reference, reference) if isinstance(reference, int) else reference

    lines = []
    with np.errstate(all="ignore"):
        for place, line in enumerate(expression.lines, expression.arity):
            given = [known[a] if isinstance(a, int) else a for a in line.arguments]
            known.append(getattr(xp, line.primitive)(*given))
            if line.primitive == "where":
                taken[place] = at(line.arguments[1 if given[0] else 2])
            lines.append(Line(line.primitive, tuple(at(a) for a in line.arguments)))
    return Expression(expression.arity, tuple(lines), (at(expression.results[output]),))


def element(array: Array, index: Index) -> Any:
    """The element of an operand that is broadcast to the shape that `index` is in."""
    own = index[len(index) - array.ndim :]
    return array[tuple(0 if length == 1 else place for place, length in zip(own, array.shape))]


def _matmul(write: Writer, arrays: Sequence[Array], attributes: Attributes, index: Index) -> str:
    a, b = arrays
    row = a[:, index[0]] if attributes.get("transpose_a") else a[index[0]]
    column = b[index[1]] if attributes.get("transpose_b") else b[:, index[1]]
    return write.total(row, column)


def _reduced(array: Array, axes: Sequence[int], keepdims: bool, index: Index) -> Array:
    """The elements that a reduction over `axes` reads for one of its results, (n,)."""
    gone = {axis % array.ndim for axis in axes}
    left = iter(index if not keepdims else [i for axis, i in enumerate(index) if axis not in gone])
    return np.ravel(array[tuple(slice(None) if axis in gone else next(left) for axis in range(array.ndim))])


def _sum(write: Writer, arrays: Sequence[Array], attributes: Attributes, index: Index) -> str:
    return write.total(_reduced(arrays[0], attributes["axes"], attributes.get("keepdims", False), index))


def _mean(write: Writer, arrays: Sequence[Array], attributes: Attributes, index: Index) -> str:
    elements = _reduced(arrays[0], attributes["axes"], attributes.get("keepdims", False), index)
    return f"({write.total(elements)})/{len(elements)}"


def _sum_to(write: Writer, arrays: Sequence[Array], attributes: Attributes, index: Index) -> str:
    (x,) = arrays
    shape = (1,) * (x.ndim - len(attributes["shape"])) + tuple(attributes["shape"])
    own = (0,) * (x.ndim - len(index)) + index
    chosen = x[tuple(slice(None) if kept == 1 else place for kept, place in zip(shape, own))]
    return write.total(np.ravel(chosen))


def _norm(write: Writer, arrays: Sequence[Array], attributes: Attributes, index: Index) -> str:
    return f"sqrt({write.number(element(arrays[1], index))})"


def _softmax(write: Writer, arrays: Sequence[Array], attributes: Attributes, index: Index) -> str:
    z = arrays[0][index[:-1]]
    return f"exp({write.number(z[index[-1]])})/({_exponentials(write, z)})"


def _exponentials(write: Writer, z: Array) -> str:
    if len(z) <= TERMS:
        return " + ".join(f"exp({write.number(each)})" for each in z)
    first = " + ".join(f"exp({write.number(each)})" for each in z[:FIRST_TERMS])
    return f"{first} + … ({len(z):,} terms)"


def _plain(attributes: Attributes) -> bool:
    return not attributes.get("label_smoothing") and attributes.get("class_weights") is None


def _likelihood(write: Writer, arrays: Sequence[Array], attributes: Attributes, index: Index) -> str:
    a, labels = arrays
    return f"-log({write.number(a[index][labels[index]])})" if _plain(attributes) else ""


def _paired_likelihood(write: Writer, arrays: Sequence[Array], attributes: Attributes, index: Index) -> str:
    z, labels = arrays
    if not _plain(attributes):
        return ""
    return f"log({_exponentials(write, z[index])}) - {write.number(z[index][labels[index]])}"


def _window(x: Array, start: Index, kernel: Sizes, stride: Sizes, dilation: Sizes) -> Array:
    """The inputs (*kernel, channels) that a window reads at one position of a padded example."""
    slices = [
        slice(at * step, at * step + (count - 1) * distance + 1, distance)
        for at, count, step, distance in zip(start, kernel, stride, dilation)
    ]
    return x[tuple(slices)]


def _padded(x: Array, padding: Padding, value: float = 0.0) -> Array:
    filled: Array = padded(numpy_namespace(), x, padding, value)
    return filled


def _convolution(write: Writer, arrays: Sequence[Array], attributes: Attributes, index: Index) -> str:
    x, w = arrays
    example, *position, filters = index
    each = w.shape[-2]
    group = filters // (w.shape[-1] // attributes["groups"])
    seen = _window(
        _padded(x, attributes["padding"])[example], tuple(position), w.shape[:-2], attributes["stride"],
        attributes["dilation"],
    )  # fmt: skip
    return write.total(np.ravel(seen[..., group * each : (group + 1) * each]), np.ravel(w[..., filters]))


def _convolution_kernel(write: Writer, arrays: Sequence[Array], attributes: Attributes, index: Index) -> str:
    x, y = arrays
    *place, channel, filters = index
    group = filters // (y.shape[-1] // attributes["groups"])
    around = _padded(x, attributes["padding"])[..., group * (x.shape[-1] // attributes["groups"]) + channel]
    slices = [
        slice(at * distance, at * distance + (count - 1) * step + 1, step)
        for at, count, step, distance in zip(place, y.shape[1:-1], attributes["stride"], attributes["dilation"])
    ]
    return write.total(np.ravel(around[(slice(None), *slices)]), np.ravel(y[..., filters]))


def _convolution_transpose(write: Writer, arrays: Sequence[Array], attributes: Attributes, index: Index) -> str:
    y, w = arrays
    example, *position, channel = index
    each, filters = w.shape[-2], w.shape[-1] // attributes["groups"]
    group = channel // each
    own = slice(group * filters, (group + 1) * filters)
    ways = [_sources(*way) for way in zip(position, y.shape[1:-1], w.shape[:-2], attributes["stride"],
                                          attributes["padding"], attributes["dilation"])]  # fmt: skip
    around, inner = y[example][..., own], w[..., channel % each, own]
    pairs = [(around[tuple(p for p, _ in met)], inner[tuple(k for _, k in met)]) for met in itertools.product(*ways)]
    if not pairs:
        return "0"
    return write.total(np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs]))


def _sources(
    at: int, positions: int, size: int, stride: int, padding: tuple[int, int], dilation: int
) -> list[tuple[int, int]]:
    """(position of the window, place in it) of all that read the input at one place of an axis."""
    found = []
    for place in range(size):
        position, rest = divmod(at + padding[0] - place * dilation, stride)
        if not rest and 0 <= position < positions:
            found.append((position, place))
    return found


def _pooled(arrays: Sequence[Array], attributes: Attributes, index: Index, value: float) -> Array:
    example, *position, channel = index
    size, stride, dilation = (attributes[name] for name in ("size", "stride", "dilation"))
    around = _padded(arrays[0], attributes["padding"], value)[example]
    return np.ravel(_window(around, tuple(position), size, stride, dilation)[..., channel])


def _max_pool(write: Writer, arrays: Sequence[Array], attributes: Attributes, index: Index) -> str:
    seen = _pooled(arrays, attributes, index, -np.inf)
    seen = seen[np.isfinite(seen)]
    if len(seen) > TERMS:
        first = ", ".join(write.number(each) for each in seen[:FIRST_TERMS])
        return f"max({first}, … {len(seen):,} numbers)"
    numbers = ", ".join(write.number(each) for each in seen)
    return f"max({numbers})" if len(seen) > 1 else numbers


def _sum_pool(write: Writer, arrays: Sequence[Array], attributes: Attributes, index: Index) -> str:
    return write.total(_pooled(arrays, attributes, index, 0.0))


_WRITERS: dict[str, Callable[[Writer, Sequence[Array], Attributes, Index], str]] = {
    "matmul": _matmul,
    "sum": _sum,
    "mean": _mean,
    "sum_to": _sum_to,
    "norm": _norm,
    "softmax": _softmax,
    "log_likelihood": _likelihood,
    "softmax_log_likelihood": _paired_likelihood,
    "convolution": _convolution,
    "convolution_kernel": _convolution_kernel,
    "convolution_transpose": _convolution_transpose,
    "max_pool": _max_pool,
    "sum_pool": _sum_pool,
}
"""Of structured ops whose numbers can be written in a line; the others move numbers, or have a formula in words."""
