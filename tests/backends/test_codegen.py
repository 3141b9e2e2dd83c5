"""Generators of code: dialects that cover the primitives, registrations that hold together, the shared loop nest."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.conftest import ExactlyThreads
from backends.spec_steps import SPECS
from nnctl import backends
from nnctl.backends.codegen.dialect import COMPARISONS, Dialect, Values
from nnctl.backends.codegen.inlining import INLINED, Inlining
from nnctl.backends.codegen.loop_nest import LoopNest
from nnctl.backends.codegen.names import Names
from nnctl.backends.cpu import kernels
from nnctl.backends.cpu.backend import CpuBackend
from nnctl.backends.cpu.codegen import registration
from nnctl.backends.cpu.codegen.dialect import KERNEL
from nnctl.backends.cpu.codegen.entries import Call
from nnctl.backends.cpu.codegen.kinds import kind_of
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.codegen.parameters import Cut, FloatParameter, NumbersParameter, WholeParameter
from nnctl.backends.cpu.codegen.source import StepSource, _Generator, generate, missing
from nnctl.backends.cpu.codegen.vocabulary import vocabulary
from nnctl.backends.cpu.codegen.writer import Writer, part_of
from nnctl.backends.cpu.compiler.marks import compiled
from nnctl.backends.cpu.kernels import EMITTERS
from nnctl.backends.cpu.rewriting.example_sums import ExampleSums
from nnctl.backends.cpu.rewriting.gradients import HALF_GRADIENTS
from nnctl.backends.cpu.rewriting.halves import HALF_PRODUCTS
from nnctl.backends.cpu.rewriting.kernel_gradients import KERNEL_BY_EXAMPLE
from nnctl.backends.cpu.rewriting.likelihoods import SOFTMAX_AND_LIKELIHOOD
from nnctl.backends.cpu.rewriting.pooling_gradients import MAX_POOL_GRADIENT
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.network import Network
from nnctl.graph.views import VIEWS
from nnctl.ops import OPS
from nnctl.ops.expression import trace
from nnctl.ops.primitives import PRIMITIVES
from nnctl.ops.shapes import BATCH, ROWS
from nnctl.ops.table import StructuredOp
from nnctl.plan.plan import Plan
from nnctl.spec.load import load_spec

C = Dialect(
    primitives={name: f"{name}({', '.join(f'{{{i}}}' for i in range(p.arity))})" for name, p in PRIMITIVES.items()},
    with_constant={},
    literal="{0}f",
    from_condition="(float)({0})",
    to_condition="({0} != 0.0f)",
    from_integer="(float){0}",
    one_hot="({0} == {1} ? 1.0f : 0.0f)",
)
"""Another language, to see that nothing shared knows the first."""


def dialects() -> dict[str, Dialect]:
    """Those of all backends, by their modules, and the one above."""
    found = {"c": C}
    for package in Path(backends.__file__).parent.glob("*/codegen/dialect.py"):
        module = import_module(f"{backends.__name__}.{package.parents[1].name}.codegen.dialect")
        found |= {name: value for name, value in vars(module).items() if isinstance(value, Dialect)}
    assert KERNEL in found.values()
    return found


DIALECTS = dialects()


# -- dialects -----------------------------------------------------------------------------


def placeholders(pattern: str) -> set[int]:
    return {int(number) for number in re.findall(r"\{(\d+)\}", pattern)}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=list(DIALECTS))
def test_a_dialect_has_a_text_for_every_primitive_and_no_other(dialect):
    assert dialect.primitives.keys() == PRIMITIVES.keys()
    assert dialect.with_constant.keys() <= PRIMITIVES.keys()
    for name, pattern in (*dialect.primitives.items(), *dialect.with_constant.items()):
        assert placeholders(pattern) == set(range(PRIMITIVES[name].arity)), name
    for pattern in (dialect.literal, dialect.from_condition, dialect.to_condition, dialect.from_integer):
        assert placeholders(pattern) == {0}
    assert placeholders(dialect.one_hot) == {0, 1}


def test_comparisons_are_the_primitives_that_no_number_comes_out_of():
    flat = {name for name, p in PRIMITIVES.items() if p.arity == 2 and p.partials == (None, None)}
    assert flat == set(COMPARISONS)


def texts(dialect: Dialect, body, arity: int) -> list[str]:
    """The lines of a formula in a dialect, its values called a, b, … and t0, t1, …; then its results."""
    expression = trace(body, arity)
    values = Values(expression, dialect, dialect.literal.format)
    for index in range(arity):
        values.bind(index, "abc"[index])
    lines = []
    for position in range(len(expression.lines)):
        lines.append(values.line(position))
        values.bind(values.value_of(position), f"t{position}")
    return [*lines, *(values.number(result) for result in expression.results)]


def test_conditions_become_numbers_and_numbers_conditions():
    def body(xp, a, b):
        return xp.where(xp.greater(a, b), a, 2.0), xp.where(a, xp.less(a, b), b)

    assert texts(KERNEL, body, 2) == [
        "a > b", "(a if t0 else F(2.0))", "a < b", "(F(t2) if a != F(0.0) else b)", "t1", "t3",
    ]  # fmt: skip
    assert texts(C, body, 2) == [
        "greater(a, b)", "where(t0, a, 2.0f)", "less(a, b)", "where((a != 0.0f), (float)(t2), b)", "t1", "t3",
    ]  # fmt: skip


def test_a_constant_comes_first_where_that_is_shorter():
    assert texts(KERNEL, lambda xp, a: xp.maximum(a, 3.0), 1)[0] == "(F(3.0) if F(3.0) >= a else a)"
    assert texts(KERNEL, lambda xp, a: xp.maximum(3.0, a), 1)[0] == "(F(3.0) if F(3.0) >= a else a)"
    assert "a != a" in texts(KERNEL, lambda xp, a, b: xp.maximum(a, b), 2)[0]


# -- registrations ------------------------------------------------------------------------


@pytest.mark.parametrize("name", EMITTERS)
def test_what_an_emitter_calls_is_in_the_vocabulary(name):
    for function in EMITTERS[name].calls:
        assert vocabulary()[function.__name__] is function


@pytest.mark.parametrize("name", EMITTERS)
def test_a_kernel_and_its_emitter_share_a_file(name):
    """But for what several files call, and another way to convolve."""
    others = {"gemm", "copy", "fill", "winograd", "winograd_kernel"}
    for function in EMITTERS[name].calls:
        if function.__name__ not in others:
            assert function.__module__ == EMITTERS[name].write.__module__


@pytest.mark.parametrize("name", OPS)
def test_an_op_has_an_emitter_or_is_a_view_or_is_missing(name):
    inputs, attributes = OPS[name].sample(np.random.default_rng(0))
    builder = GraphBuilder(name)
    dtypes = {"f": "real", "i": "index", "u": "uint8"}
    arrays = [np.asarray(x) for x in inputs]
    tensors = [builder.input(f"x{i}", a.shape, dtypes[a.dtype.kind]) for i, a in enumerate(arrays)]
    made = builder.apply_all(name, *tensors, **attributes)
    graph = builder.graph({f"y{i}": tensor for i, tensor in enumerate(made)})
    covered = name in EMITTERS or name in VIEWS or not tensors
    assert missing(graph) == (() if covered else (name,))


def test_every_emitter_is_of_an_op():
    halves = {HALF_PRODUCTS.name, HALF_GRADIENTS.name}
    others = {ExampleSums.name, MAX_POOL_GRADIENT.name, SOFTMAX_AND_LIKELIHOOD.name, KERNEL_BY_EXAMPLE.name}
    rewritten = {*others, *halves}
    assert EMITTERS.keys() - OPS.keys() == rewritten, "others are of graphs that the backend has rewritten"
    assert set(INLINED) <= EMITTERS.keys()


def test_an_op_has_one_emitter():
    with pytest.raises(ValueError, match="op 'softmax' has two emitters"):
        registration.emits("softmax")(lambda writer, launch: None)


def test_two_functions_of_one_name_are_refused(monkeypatch):
    def softmax(x, out):
        raise NotImplementedError

    emitter = registration.Emitter(lambda writer, launch: None, (softmax,), None, False, False, (), ())
    monkeypatch.setitem(EMITTERS, "another", emitter)
    with pytest.raises(ValueError, match="generated code would call softmax of two modules"):
        vocabulary.__wrapped__()


@compiled
def running_sums(x: Any, scratch: Any, out: Any) -> None:
    """Sums of each row so far, by way of the scratch."""
    for i in range(x.shape[0]):
        scratch[0] = F(0.0)
        for j in range(x.shape[1]):
            scratch[0] += x[i, j]
            out[i, j] = scratch[0]


@pytest.fixture
def newcomer(monkeypatch, tmp_path) -> Iterator[str]:
    """An op and its kernel, as a file of each would enter them."""
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path))
    name = "cumulated"
    monkeypatch.setitem(
        OPS,
        name,
        StructuredOp(name, lambda x: x, lambda xp, x: xp.cumsum(x, axis=-1), None, None, lambda rng: ((), {})),
    )

    @registration.emits(name, calls=(running_sums,), scratch=lambda launch: launch.inputs[0].shape[-1], rows=True)
    def write(writer, launch):
        part = part_of(launch)
        read, made = writer.matrix(launch.inputs[0], part), writer.matrix(launch.outputs[0], part)
        writer.line(f"running_sums({read}, scratch, {made})")

    vocabulary.cache_clear()
    yield name
    del EMITTERS[name]
    vocabulary.cache_clear()


@pytest.mark.compile
def test_an_op_and_a_kernel_are_all_that_it_takes(newcomer):
    """Schedule, vocabulary, scratch and reserved names follow from the registration."""
    builder = GraphBuilder("newcomer")
    x = builder.input("x", (BATCH, 1000))
    # A value of the function's name must not take it.
    graph = builder.graph({"y": builder.apply(newcomer, builder.formula("running_sums", lambda xp, x: x * 3.0, x))})
    assert missing(graph) == ()
    backend = ExactlyThreads(2)
    plan = backend.plan(graph, {"batch": 5})
    source = generate(plan)
    assert any("running_sums(p0, p1, p2)" in kind.text for kind in source.kinds)
    assert source.scratch == 1008, "whole cache lines"
    fed = np.random.default_rng(0).integers(-9, 9, (2, 5, 1000)).astype(np.float32)
    made = backend.load(plan, {}).start({"x": fed}, 2).result().outputs["y"]
    np.testing.assert_array_equal(made, 3.0 * fed.cumsum(axis=-1))


def test_every_file_of_kernels_is_entered_by_the_package_alone():
    files = {path.stem for path in Path(kernels.__file__).parent.glob("*.py")} - {"__init__"}
    source = ast.parse(Path(kernels.__file__).read_text())
    named = {word for node in ast.walk(source) if isinstance(node, ast.Constant) for word in str(node.value).split()}
    assert files
    assert not named & files
    for stem in files:
        import_module(f"{kernels.__name__}.{stem}")


# -- kinds --------------------------------------------------------------------------------


def kind(lines: list[str], **parameters):
    return kind_of(lines, parameters, frozenset(vocabulary()))


def test_launches_that_differ_in_names_sizes_and_constants_are_of_one_kind():
    first, passed = kind(
        ["# y = sum(x)", "for i in range(784):", "    t1 = x[i] * rate", "    y[i] = F(2.0) * t1"],
        x=WholeParameter(7), y=WholeParameter(8), rate=FloatParameter(0.1),
    )  # fmt: skip
    other, also = kind(
        ["for row in range(10):", "    u = z[row] * decay", "    z_new[row] = F(2.0) * u"],
        z=WholeParameter(5), z_new=WholeParameter(6), decay=FloatParameter(0.3),
    )  # fmt: skip
    assert first == other
    assert first.lines == ("for v0 in range(p0):", "    v1 = p1[v0] * p2", "    p3[v0] = F(2.0) * v1")
    assert passed == (WholeParameter(784), WholeParameter(7), FloatParameter(0.1), WholeParameter(8))
    assert also == (WholeParameter(10), WholeParameter(5), FloatParameter(0.3), WholeParameter(6))


def test_a_kind_keeps_what_changes_its_code():
    lines = ["for i in range(1):", "    x[0] = exp(0.5) + x.shape[3] + 1e-12 + math.inf"]
    kept, passed = kind(lines, x=WholeParameter(7))
    assert kept.lines == ("for v0 in range(1):", "    p0[0] = exp(0.5) + p0.shape[3] + 1e-12 + math.inf")
    assert passed == (WholeParameter(7),)


def test_a_name_that_nothing_defines_is_refused():
    with pytest.raises(ValueError, match="generated code names y, which nothing defines"):
        kind(["x[0] = y"], x=WholeParameter(1))


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_a_cut_gives_each_thread_its_part_and_every_entry_once(threads):
    for length, times in ((0, 1), (1, 1), (5, 1), (10, 3)):
        bounds = [Cut(length, times).bounds(thread, threads) for thread in range(threads)]
        assert [first for first, _ in bounds] == [0, *(last for _, last in bounds[:-1])]
        assert bounds[-1][1] == length * times
        assert all(first % times == 0 for first, _ in bounds)


def test_constants_are_passed_but_for_the_plain_ones():
    writer = Writer(1)
    assert [writer.number(value) for value in (0.1, 1.0, 0.3, 0.1)] == ["number", "F(1.0)", "number_2", "number"]
    assert writer.numbers([0.5, 1.0]) == "numbers"
    assert writer.parameters["number_2"] == FloatParameter(0.3)
    assert writer.parameters["numbers"] == NumbersParameter((0.5, 1.0))


@pytest.mark.slow
def test_equal_layers_add_no_kinds():
    """A net of depth 12 compiles what one of depth 4 does."""

    def made(depth: int, units: int) -> StepSource:
        builder = GraphBuilder("deep")
        x = builder.input("x", (BATCH, units))
        for layer in range(depth):
            product = builder.apply("matmul", x, builder.input(f"w{layer}", (units, units)))
            x = builder.formula(f"a{layer}", lambda xp, z: xp.maximum(z, 0.0), product)
        plan = CpuBackend(2).plan(builder.graph({"y": x}), {"batch": 4})
        return generate(plan)

    deep, shallow = made(12, 30), made(4, 17)
    assert set(deep.kinds) == set(shallow.kinds)
    assert len({entry.pattern for entry in deep.entries if isinstance(entry, Call)}) < 12


class Forgetful(dict[Any, Any]):
    """A memory that never has what is looked for, and counts what it was told again."""

    again = 0

    def get(self, key: Any, default: Any = None) -> Any:
        self.again += key in self
        return default


def written(source: StepSource) -> list[object]:
    """All that is written of a step, whichever of its calls share a pattern."""
    calls = [(e.kind, e.passed, e.alone, e.launch) if isinstance(e, Call) else e for e in source.entries]
    return [*calls, source.scratch, source.private, source.runs]


def test_a_launch_like_an_earlier_one_is_called_as_if_it_had_been_written_anew():
    written_again = 0
    for path in SPECS:
        loaded = load_spec(path)
        network = Network(loaded.spec, loaded.spec.data.signature(loaded.folder))
        for graph in (network.training_step, network.evaluation):
            if not missing(graph):
                plan = CpuBackend(2).plan(graph, {"batch": 4, "rows": 20})
                generator = _Generator(plan)
                generator.written = Forgetful()
                assert written(generator.run()) == written(generate(plan))
                written_again += generator.written.again
    assert written_again > 100


# -- names --------------------------------------------------------------------------------


def test_names_are_readable_and_given_once():
    names = Names(["step", "for"])
    assert [names.fresh(wanted) for wanted in ("∂C/∂w", "w⁺", "a'", "step", "2x", "a.b", "a b", "for")] == [
        "d_w", "w_new", "a", "step_2", "v_2x", "a_b", "a_b_2", "for_2",
    ]  # fmt: skip


# -- the loop nest ------------------------------------------------------------------------


def nests(plan: Plan) -> dict[str, LoopNest]:
    """The loop nests of a plan's formulas, by the names of their results."""
    return {launch.outputs[0].name: LoopNest(launch, Inlining(plan.inlined)) for launch in plan.launches}


def planned(builder: GraphBuilder, **outputs) -> Plan:
    return CpuBackend(1).plan(builder.graph(outputs), {"batch": 4, "rows": 20})


def test_axes_that_all_operands_see_alike_are_one_loop():
    builder = GraphBuilder("nest")
    x = builder.input("x", (BATCH, 2, 3, 5))
    bias = builder.input("bias", (5,))
    scale = builder.input("scale", (1,))
    (nest,) = nests(
        planned(builder, y=builder.formula("affine", lambda xp, x, b, s: (x + b) * s, x, bias, scale))
    ).values()
    assert nest.loops == [(0, 1, 2), (3,)]
    assert nest.turns_an_entry() == 6
    assert nest.layout([0, 1]) == [24, 5]
    assert len(nest.scalars) == 1
    by_name = {operand.slot.name: nest.loops_of(operand) for operand in nest.operands}
    assert by_name == {"x": [0, 1], "bias": [1], "scale": []}


def test_what_changes_with_an_outer_loop_alone_is_hoisted():
    builder = GraphBuilder("hoisted")
    x, column = builder.input("x", (BATCH, 5)), builder.input("column", (BATCH, 1))
    (nest,) = nests(planned(builder, y=x * column)).values()
    assert [operand.slot.name for operand in nest.hoisted(0)] == ["column"]


def test_a_gathered_row_has_a_loop_of_its_own_and_is_known_ahead():
    builder = GraphBuilder("gathered")
    data = builder.input("data", (ROWS, 2, 3), "uint8", "data")
    index = builder.input("index", (BATCH,), "index", "feed")
    x = builder.apply("cast", builder.apply("gather", data, index))
    (nest,) = nests(planned(builder, y=x * 0.5)).values()
    assert nest.loops == [(0,), (1, 2)]
    ((table, row),) = nest.ahead()
    assert (table.slot.name, row.slot.name) == ("data", "index")
    assert nest.layout(nest.loops_in_row(table)) == [6]

    class Elements:
        def element(self, operand):
            return f"{operand.slot.name}[i0]"

        def gathered(self, table, row):
            return f"{table.slot.name}[{row}, i1]"

        def position(self, axis):
            raise NotImplementedError

    assert nest.inlining.text(nest.operands[0], C, Elements()) == "(float)data[index[i0], i1]"


def test_lines_of_scalars_alone_are_done_once():
    builder = GraphBuilder("divided")
    x, rate = builder.input("x", (BATCH, 5)), builder.input("rate", ())
    graph_formula = builder.formula("scaled", lambda xp, x, rate: x * xp.exp(rate * 2.0), x, rate)
    (nest,) = nests(planned(builder, y=graph_formula)).values()
    before, inside = nest.divided()
    primitives = [line.primitive for line in nest.expression.lines]
    assert [primitives[p] for p in before] == ["multiply", "exp"]
    assert [primitives[p] for p in inside] == ["multiply"]


def test_a_structured_op_has_no_loop_nest():
    builder = GraphBuilder("product")
    a = builder.input("a", (BATCH, 3))
    plan = planned(builder, y=builder.apply("softmax", a))
    with pytest.raises(TypeError, match="softmax is no formula"):
        nests(plan)
