"""A second generator of code from what the first one shares: flat memory and computed indices, as a device has them.

It writes Python, so that every machine can run it. What it had to say itself is below: statements, indices, texts.
"""

from __future__ import annotations

import keyword
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from graph.interpretation import interpret

from nnctl.backends.codegen.dialect import Dialect, Values
from nnctl.backends.codegen.inlining import Inlining, Operand, inlined_nodes
from nnctl.backends.codegen.loop_nest import LoopNest, is_scalar
from nnctl.backends.codegen.names import Names, label
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Graph, Node
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.primitives import PRIMITIVES
from nnctl.ops.shapes import BATCH, ROWS
from nnctl.plan.dtypes import element
from nnctl.plan.lower import lower
from nnctl.plan.plan import Plan, Slot
from nnctl.plan.strategy import Sequential

DIALECT = Dialect(
    primitives={name: f"xp.{name}({', '.join(f'{{{i}}}' for i in range(p.arity))})" for name, p in PRIMITIVES.items()},
    with_constant={},
    literal="{0}",
    from_condition="float({0})",
    to_condition="({0} != 0.0)",
    from_integer="float({0})",
    one_hot="float({0} == {1})",
)
SIZES = {"batch": 3, "rows": 7}


class Inlined(Sequential):
    """One launch after the other; gathers, casts and their kin are read where they are needed."""

    def inlined(self, graph: Graph) -> set[Node]:
        return inlined_nodes(graph)


PLAIN = {0.0, 1.0, -1.0, 2.0, 0.5, -0.5}


class Arguments:
    """The tables of a step's arguments, filled while its text is written.

    feeds, storage, constants: key → name of the flat array. outputs: by the plan's names.
    offsets: of arena slots, in elements. numbers: constants of the formulas but for the plain ones.
    """

    def __init__(self, names: Names, plan: Plan) -> None:
        self._names = names
        self.outputs = {name: names.fresh(f"all_{name}") for name in plan.outputs}
        self._precision = plan.precision
        self.feeds: dict[str, str] = {}
        self.storage: dict[str, str] = {}
        self.constants: dict[str, str] = {}
        self.offsets: list[int] = []
        self.numbers: list[float] = []
        self._numbers: dict[float, int] = {}
        self._offsets: dict[tuple[object, ...], int] = {}

    def array(self, slot: Slot) -> str:
        """The name of the flat array that a slot outside the arena lies in."""
        known = {"storage": self.storage, "feed": self.feeds, "constant": self.constants}[slot.place]
        if slot.key not in known:
            known[slot.key] = self._names.fresh(f"all_{slot.name if slot.place == 'constant' else slot.key}")
        return known[slot.key]

    def offset(self, slot: Slot) -> int:
        """The entry of `offsets` that says where an arena slot begins."""
        key = (slot.offset, slot.dtype, slot.name)
        if key not in self._offsets:
            self._offsets[key] = len(self.offsets)
            self.offsets.append(slot.offset // element(slot.dtype, self._precision).bytes)
        return self._offsets[key]

    def number(self, value: float) -> int | None:
        """The entry of `numbers` that holds a constant.

        None for a plain one, which is worth showing to the compiler: all others are data, so
        that nets that differ in a rate share code.
        """
        if value in PLAIN:
            return None
        if value not in self._numbers:
            self._numbers[value] = len(self.numbers)
            self.numbers.append(value)
        return self._numbers[value]

    def names(self) -> list[str]:
        """The arrays' names in the order of the arguments: feeds, storage, constants, outputs."""
        tables = (self.feeds, self.storage, self.constants, self.outputs)
        return [name for table in tables for name in table.values()]


class FlatLoops:
    """The loops of one launch over flat arrays: statements, and elements as inlining asks for them."""

    def __init__(self, nest: LoopNest, names: Names, arguments: Arguments) -> None:
        self.nest = nest
        self.names = names
        self.arguments = arguments
        self.values = Values(nest.expression, DIALECT, self.number)
        self.lines: list[str] = []
        self.depth = 0

    def write(self, outputs: Sequence[Slot]) -> list[str]:
        nest, values = self.nest, self.values
        for i in sorted(nest.scalars):
            self.let(i, self.element(nest.operands[i]))
        before, inside = nest.divided()
        for position in before:
            self.let(values.value_of(position), values.line(position))
        for loop in range(len(nest.loops)):
            self.line(f"for i{loop} in range({nest.length(loop)}):")
            self.depth += 1
        for i, operand in enumerate(nest.operands):
            if i not in nest.scalars:
                self.let(i, nest.inlining.text(operand, DIALECT, self))
        for position in inside:
            self.let(values.value_of(position), values.line(position))
        for slot, result in zip(outputs, nest.expression.results, strict=True):
            index = self.index(list(range(len(nest.loops))))
            self.line(f"{self.memory(slot, index)} = {values.number(result)}")
        return self.lines

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def let(self, value: int, text: str) -> None:
        name = self.names.fresh("t")
        self.line(f"{name} = {text}")
        self.values.bind(value, name)

    def number(self, value: float) -> str:
        entry = self.arguments.number(value)
        return DIALECT.literal.format(repr(value)) if entry is None else f"numbers[{entry}]"

    def index(self, loops: list[int]) -> str:
        sizes = self.nest.layout(loops)
        strides = [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]
        return " + ".join(f"i{loop} * {stride}" for loop, stride in zip(loops, strides, strict=True)) or "0"

    def memory(self, slot: Slot, index: str) -> str:
        if slot.place == "arena":
            return f"arena_{slot.dtype}[offsets[{self.arguments.offset(slot)}] + {index}]"
        return f"{self.arguments.array(slot)}[{index}]"

    def element(self, operand: Operand) -> str:
        loops = [] if is_scalar(operand.slot) else self.nest.loops_of(operand)
        return self.memory(operand.slot, self.index(loops))

    def gathered(self, table: Operand, row: str) -> str:
        loops = self.nest.loops_in_row(table)
        return self.memory(table.slot, f"{row} * {math.prod(self.nest.layout(loops))} + {self.index(loops)}")

    def position(self, axis: int | None) -> str:
        return "0" if axis is None else f"i{self.nest.loop_of(axis)}"


def generate(plan: Plan) -> tuple[str, Arguments]:
    """The text of one step, and its arguments."""
    names = Names([*keyword.kwlist, "xp", "offsets", "numbers", "arena_real", "arena_index", "arena_uint8"])
    arguments = Arguments(names, plan)
    lines = []
    for launch in plan.launches:
        lines.append(f"# {label(launch)}")
        lines += FlatLoops(LoopNest(launch, Inlining(plan.inlined)), names, arguments).write(launch.outputs)
    return "\n".join(lines), arguments


def run(plan: Plan, given: dict[str, Any]) -> dict[str, Any]:
    """The outputs of one step, in float64."""
    text, arguments = generate(plan)
    dtypes = ("real", "index", "uint8")
    arena = np.full(plan.arena_bytes + 64, 255, np.uint8)[: -(-plan.arena_bytes // 8) * 8]
    memory = {f"arena_{dtype}": arena.view(element(dtype, plan.precision).host) for dtype in dtypes}
    tables = {name: given[key].reshape(-1) for key, name in (arguments.feeds | arguments.storage).items()}
    exec(
        text, {"xp": numpy_namespace(), "offsets": arguments.offsets, "numbers": arguments.numbers, **memory, **tables}
    )
    outputs = {}
    for name, slot in plan.outputs.items():
        start = slot.offset // element(slot.dtype, plan.precision).bytes
        outputs[name] = memory[f"arena_{slot.dtype}"][start : start + math.prod(slot.shape)].reshape(slot.shape)
    return outputs


def broadcast_operands(builder: GraphBuilder) -> dict[str, Any]:
    x, bias = builder.input("x", (BATCH, 2, 4)), builder.input("bias", (4,))
    column, rate = builder.input("column", (BATCH, 1, 1)), builder.input("rate", ())

    def body(xp: Any, x: Any, bias: Any, column: Any, rate: Any) -> Any:
        step = rate * 0.1
        return xp.where(xp.greater(x, bias), x * column, xp.exp(x) - step), xp.less(x, step) * column

    y, z = builder.formula("some", body, x, bias, column, rate)
    return {"y": y, "z": z, "w": y * z + bias}


def inlined_operands(builder: GraphBuilder) -> dict[str, Any]:
    data = builder.input("data", (ROWS, 2, 3), "uint8", "data")
    targets = builder.input("targets", (ROWS,), "index", "data")
    index = builder.input("index", (BATCH,), "index")
    x = builder.apply("cast", builder.apply("gather", data, index)) * (1.0 / 255.0)
    hot = builder.apply("one_hot", builder.apply("gather", targets, index), classes=3)
    wide = builder.apply("broadcast_to", builder.input("row", (3,)), shape=(BATCH, 3))
    return {"x": x, "far": hot - wide}


@pytest.mark.parametrize("net", [broadcast_operands, inlined_operands])
def test_its_steps_mean_what_the_graph_means(net):
    builder = GraphBuilder("step")
    graph = builder.graph(net(builder))
    rng = np.random.default_rng(0)
    given = {
        "x": rng.standard_normal((3, 2, 4)), "bias": rng.standard_normal(4), "column": rng.standard_normal((3, 1, 1)),
        "rate": np.float64(0.7), "data": rng.integers(0, 255, (7, 2, 3)).astype(np.uint8), "row": np.arange(3.0),
        "targets": rng.integers(0, 3, 7), "index": np.array([6, 0, 2]),
    }  # fmt: skip
    given = {value.name: given[value.name] for value in graph.inputs}
    plan = lower(graph, SIZES, "float64", Inlined())
    meaning = interpret(graph, given, SIZES).outputs
    made = run(plan, given)
    assert made.keys() == meaning.keys()
    for name, array in meaning.items():
        np.testing.assert_allclose(made[name], array, rtol=1e-14, err_msg=name)
