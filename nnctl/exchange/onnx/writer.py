"""A graph of ONNX under construction: nodes in order, names, and arrays that are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.exchange.onnx.lengths import Length
from nnctl.graph.ir import Node, Value
from nnctl.late import dataclass
from nnctl.ops.shapes import BATCH, Dim, Shape, Symbol

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto


@dataclass(frozen=True, eq=False)
class Operand:
    """A value as nodes read it. array: what it is, where that is known before the graph runs."""

    name: str
    shape: Shape
    dtype: str
    array: NDArray[Any] | None = None


Given: TypeAlias = Operand | NDArray[Any] | str | None
"""An input of a node; None is one that is left out."""


class Writer:
    """Collects nodes. Emitters call it; `nnctl.exchange.onnx.emitters` has these.

    outer: of the graph around this one, whose names and arrays it shares.
    """

    def __init__(self, outer: Writer | None = None) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: dict[str, NDArray[Any]] = {} if outer is None else outer.initializers
        self.names: set[str] = set() if outer is None else outer.names
        self.bound: dict[Value, Operand] = {}
        """The operand of each value that is there already."""
        self.producers: Mapping[Value, Node] = {}
        self.readers: Mapping[Value, Sequence[Node]] = {}
        self.results: frozenset[Value] = frozenset()
        """Values that are outputs of the graph."""
        self.source: str = "" if outer is None else outer.source
        """The input whose first axes are examples and steps."""
        self._constants: dict[tuple[Any, ...], str] = {} if outer is None else outer._constants
        self._transposed: dict[str, tuple[str, tuple[int, ...]]] = {}
        self._sizes: dict[Any, str] = {}
        self._prefix = ""

    # -- nodes -----------------------------------------------------------------

    def writing(self, name: str) -> None:
        """Begin what makes the value `name`: nodes are called after it."""
        self._prefix = name

    def unique(self, name: str) -> str:
        """The name, or with a number the first like it that is free."""
        found, count = name, 1
        while found in self.names:
            count += 1
            found = f"{name}_{count}"
        self.names.add(found)
        return found

    def add(self, op_type: str, *inputs: Given, **attributes: Any) -> str:
        """Append a node of one result, and give its name."""
        return self.add_all(op_type, inputs, 1, **attributes)[0]

    def add_all(self, op_type: str, inputs: Sequence[Given], results: int, **attributes: Any) -> list[str]:
        """Append a node, and give the names of its results."""
        from onnx import helper

        names = [self.text(operand) for operand in inputs]
        made = [self.unique(f"{self._prefix}/{op_type}") for _ in range(results)]
        self.nodes.append(helper.make_node(op_type, names, made, name=made[0], **attributes))
        return made

    def text(self, operand: Given) -> str:
        """The name by which nodes read an operand; an array becomes one of the graph's."""
        if operand is None:
            return ""
        if isinstance(operand, str):
            return operand
        if isinstance(operand, Operand):
            if operand.array is None:
                return operand.name
            return self.constant(operand.array, operand.name)
        return self.constant(operand, "constant")

    def constant(self, array: NDArray[Any], name: str, *, double: bool = False) -> str:
        """The name of an array that is the graph's own; equal ones are kept once. double: it stays what it is."""
        single = array.dtype.kind == "f" and not double
        array = np.ascontiguousarray(array, np.float32 if single else None).reshape(array.shape)
        key = (name, array.dtype.str, array.shape, blake2b(array.tobytes()).digest())
        if key not in self._constants:
            self._constants[key] = self.unique(name)
            self.initializers[self._constants[key]] = array
        return self._constants[key]

    def transpose(self, operand: Given, order: Sequence[int]) -> Given:
        """The operand with its axes in another order; two that cancel give no node."""
        order = tuple(order)
        if order == tuple(range(len(order))):
            return operand
        if isinstance(operand, Operand) and operand.array is not None:
            array = operand.array.transpose(order)
            return Operand(f"{operand.name}.transposed", array.shape, operand.dtype, array)
        source, earlier = self._transposed.get(self.text(operand), ("", ()))
        if source and tuple(earlier[axis] for axis in order) == tuple(range(len(order))):
            return source
        made = self.add("Transpose", operand, perm=order)
        self._transposed[made] = (self.text(operand), order)
        return made

    # -- sizes -------------------------------------------------------------------

    def dims(self, shape: Sequence[Dim | Length], *, inferred: bool = False) -> Given:
        """A shape as an operand. inferred: one axis that is not known may be left to the node, as −1."""
        if all(isinstance(dim, int) for dim in shape):
            return np.array(shape, np.int64)
        parts: list[Given] = []
        for dim in shape:
            if isinstance(dim, int):
                parts.append(np.array([dim], np.int64))
            elif inferred:
                parts.append(np.array([-1], np.int64))
                inferred = False
            else:
                parts.append(self._size(dim))
        if all(isinstance(part, np.ndarray) for part in parts):
            return np.concatenate(parts)  # type: ignore[arg-type]
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=0)

    def _size(self, dim: Symbol | Length) -> str:
        """One length that is known when the graph runs, (1,)."""
        if dim in self._sizes:
            return self._sizes[dim]
        if isinstance(dim, Symbol):
            if dim.name != BATCH.name:
                raise TypeError(f"no axis of an input is called {dim.name}")
            made = self._axis(0)
            if isinstance(dim.times, Length):
                made = self.add("Mul", made, self._size(dim.times))
            elif dim.times != 1:
                made = self.add("Mul", made, np.array([dim.times], np.int64))
        else:
            made = self._axis(1)
            if dim.per_step != 1:
                made = self.add("Mul", made, np.array([dim.per_step], np.int64))
            if dim.more:
                made = self.add("Add", made, np.array([dim.more], np.int64))
        self._sizes[dim] = made
        return made

    def _axis(self, axis: int) -> str:
        key = ("axis", axis)
        if key not in self._sizes:
            shape = self.add("Shape", self.source)
            self._sizes[key] = self.add("Gather", shape, np.array([axis], np.int64), axis=0)
        return self._sizes[key]

    # -- the end -----------------------------------------------------------------

    def tensors(self, used: set[str]) -> list[TensorProto]:
        """The arrays that nodes read."""
        from onnx import numpy_helper

        return [numpy_helper.from_array(array, name) for name, array in self.initializers.items() if name in used]


def live(nodes: Sequence[NodeProto], results: Sequence[str]) -> tuple[list[NodeProto], set[str]]:
    """The nodes that the results need, in order, and the names that they and the results read."""
    needed = set(results)
    kept = []
    for node in reversed(nodes):
        if needed.isdisjoint(node.output):
            continue
        kept.append(node)
        needed.update(name for name in node.input if name)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                inside = {name for inner in attribute.g.node for name in inner.input}
                needed.update(inside | {output.name for output in attribute.g.output})
    return kept[::-1], needed
