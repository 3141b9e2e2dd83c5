"""Lowering: memory, updates in place where that is safe and by copy where not, the guard's line, constants."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from graph.golden_text import assert_golden
from graph.interpretation import assert_same, interpret
from graph.nets import Case, cases, untouched
from graph.test_golden import IMAGES, MODERN, POINTS, TEXTBOOK
from hypothesis import given, settings

from nnctl.backends.registry import reference_backend
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Graph
from nnctl.graph.network import Network
from nnctl.graph.verify import verify
from nnctl.ops.shapes import BATCH
from nnctl.plan.lower import lower
from nnctl.plan.plan import Plan, Slot
from nnctl.plan.render import render

ITEM = {"real": 4, "index": 8, "uint8": 1}


def w_and_x() -> tuple[GraphBuilder, object, object]:
    builder = GraphBuilder("small")
    return builder, builder.input("w", (4,), role="parameter"), builder.input("x", (4,), role="optimizer state")


def run_once(graph: Graph, storage: dict[str, np.ndarray]) -> tuple[Plan, dict[str, np.ndarray]]:
    """The plan and its outputs; afterwards `storage` is what the step left. Both agree with the graph's meaning."""
    verify(graph)
    expected = interpret(graph, storage, {})
    plan = lower(graph, {}, "float64")
    outputs = reference_backend().load(plan, storage).start({}, 1).result().outputs
    assert_same({name: a[0] for name, a in outputs.items()}, expected.outputs, 1e-14)
    assert_same({name: storage[name] for name in expected.updates}, expected.updates, 1e-14)
    return plan, outputs


def stored(**arrays) -> dict[str, np.ndarray]:
    return {name: np.asarray(a, float) for name, a in arrays.items()}


W, X = [1.0, 2.0, 3.0, 4.0], [0.5, 0.25, -1.0, 2.0]


# -- updates -----------------------------------------------------------------------


def test_an_elementwise_update_is_made_in_place():
    builder, w, x = w_and_x()
    plan, _ = run_once(builder.graph({}, {w.value: w - x}), stored(w=W, x=X))
    assert plan.copies == ()
    assert plan.launches[0].outputs[0].place == "storage"
    assert plan.arena_bytes == 0


def test_an_old_value_that_is_read_after_the_update_makes_it_a_copy():
    builder, w, x = w_and_x()
    new = w - x
    later = builder.formula("later", lambda xp, w: xp.square(w), w)
    plan, _ = run_once(builder.graph({"later": later}, {w.value: new}), stored(w=W, x=X))
    assert [(new.place, old.key) for new, old in plan.copies] == [("arena", "w")]


def test_an_old_value_that_is_an_output_makes_it_a_copy():
    builder, w, x = w_and_x()
    plan, outputs = run_once(builder.graph({"before": w}, {w.value: w - x}), stored(w=W, x=X))
    assert len(plan.copies) == 1
    np.testing.assert_array_equal(outputs["before"][0], W)


def test_a_view_of_an_old_value_makes_it_a_copy():
    builder, w, x = w_and_x()
    view = builder.apply("reshape", w, shape=(2, 2))
    new = w - x
    plan, _ = run_once(builder.graph({"view": view}, {w.value: new}), stored(w=W, x=X))
    assert len(plan.copies) == 1
    total = builder.apply("sum", view, axes=(0, 1))
    plan, _ = run_once(builder.graph({"total": total}, {w.value: new}), stored(w=W, x=X))
    assert len(plan.copies) == 1


def test_a_new_value_that_is_a_view_is_copied():
    builder, w, _ = w_and_x()
    new = builder.apply("reshape", builder.apply("reshape", w, shape=(2, 2)) * 2.0, shape=(4,))
    plan, _ = run_once(builder.graph({}, {w.value: new}), stored(w=W, x=X))
    assert len(plan.copies) == 1


def test_a_structured_op_does_not_write_over_what_it_reads():
    builder = GraphBuilder("product")
    w = builder.input("w", (2, 2), role="parameter")
    plan, _ = run_once(builder.graph({}, {w.value: builder.apply("matmul", w, w)}), stored(w=[[1.0, 2.0], [3.0, 4.0]]))
    assert len(plan.copies) == 1


def test_two_parameters_with_one_new_value():
    builder, w, x = w_and_x()
    new = w * x
    plan, _ = run_once(builder.graph({}, {w.value: new, x.value: new}), stored(w=W, x=X))
    assert len(plan.copies) == 1
    plan, _ = run_once(builder.graph({"new": new}, {w.value: new, x.value: new}), stored(w=W, x=X))
    assert len(plan.copies) == 2


def test_a_new_value_read_by_a_later_update():
    """x⁺ reads w⁺, which lies where w was."""
    builder, w, x = w_and_x()
    new = w - x
    plan, _ = run_once(builder.graph({}, {w.value: new, x.value: new * x}), stored(w=W, x=X))
    assert plan.copies == ()


def test_each_reads_the_others_old_value():
    builder, w, x = w_and_x()
    plan, _ = run_once(builder.graph({}, {w.value: w + x, x.value: w * x}), stored(w=W, x=X))
    assert len(plan.copies) == 1


def test_one_node_that_hands_old_values_on():
    """(w, x) ← (x − w, w): the second result is an input as it stands, whose memory the first result takes."""
    builder, w, x = w_and_x()
    new = builder.formula("swap", lambda xp, w, x: (x - w, w), w, x)
    plan, _ = run_once(builder.graph({}, {w.value: new[0], x.value: new[1]}), stored(w=W, x=X))
    assert plan.copies == ()


def test_nothing_before_the_guard_is_written_in_place():
    builder, w, x = w_and_x()
    early = w * 0.9
    guard = builder.apply("sum", x, axes=(0,))
    late = builder.formula("late", lambda xp, x: x + 1.0, x)
    plan, _ = run_once(builder.graph({}, {w.value: early, x.value: late}, guard), stored(w=W, x=X))
    assert [old.key for _, old in plan.copies] == ["w"]
    assert plan.guarded == 2

    storage = stored(w=W, x=[np.nan] * 4)
    result = reference_backend().load(plan, storage).start({}, 1).result()
    assert result.completed == 0
    np.testing.assert_array_equal(storage["w"], W)


# -- constants and views --------------------------------------------------------------


def test_constants_are_computed_once_and_told_apart_even_by_one_name():
    builder = GraphBuilder("constants")
    x = builder.input("x", (BATCH,), role="optimizer state")
    size, triple = builder.apply("size", shape=(BATCH,)), builder.apply("size", shape=(3,))
    triple.value.name = size.value.name
    plan = lower(builder.graph({"y": x * size + triple}), {"batch": 5}, "float64")
    assert [launch.op.name for launch in plan.setup] == ["size", "size"]
    outputs = reference_backend().load(plan, {"x": np.ones(5)}).start({}, 1).result().outputs
    np.testing.assert_array_equal(outputs["y"][0], [8.0] * 5)


def test_views_cost_no_launch_and_no_memory():
    builder = GraphBuilder("views")
    x = builder.input("x", (2, 3), role="optimizer state")
    y = builder.apply("reshape", builder.apply("reshape", x * 2.0, shape=(6,)), shape=(3, 2))
    plan = lower(builder.graph({"y": builder.apply("stop_gradient", y)}), {}, "float64")
    assert len(plan.launches) == 1
    outputs = reference_backend().load(plan, {"x": np.arange(6.0).reshape(2, 3)}).start({}, 1).result().outputs
    np.testing.assert_array_equal(outputs["y"][0], 2 * np.arange(6.0).reshape(3, 2))


def test_a_view_of_a_statistic_leaves_it_alone():
    builder = GraphBuilder("statistic")
    s, x = builder.input("s", (2, 3), role="statistic"), builder.input("x", (6,), role="optimizer state")
    doubled = builder.apply("reshape", s, shape=(6,)) * 2.0
    plan = lower(builder.graph({"y": x + doubled}), {}, "float64")
    assert len(plan.setup) == 1
    storage = stored(s=np.arange(6.0).reshape(2, 3), x=np.ones(6))
    storage["s"].setflags(write=False)
    np.testing.assert_array_equal(
        reference_backend().load(plan, storage).start({}, 1).result().outputs["y"][0], 1 + 2 * np.arange(6.0)
    )


# -- whole nets --------------------------------------------------------------------------


relaxed = settings(max_examples=40)


@pytest.mark.slow
@relaxed
@given(cases())
def test_plans_compute_what_graphs_mean(case: Case):
    """Three steps in a row, fused and as built, in one arena and in place, against steps that share nothing."""
    feeds = case.feeds(3)
    for graph in (untouched(case.spec, case.signature), Network(case.spec, case.signature).training_step):
        state, expected = case.storage(), []
        for step in range(3):
            meaning = interpret(graph, state | {k: v[step] for k, v in feeds.items()}, case.sizes())
            state |= meaning.updates
            expected.append(meaning.outputs)
        storage = case.storage()
        result = reference_backend().load(lower(graph, case.sizes(), "float64"), storage).start(feeds, 3).result()
        assert result.completed == 3
        for step in range(3):
            assert_same({k: v[step] for k, v in result.outputs.items()}, expected[step], 1e-12)
        assert_same(storage, state, 1e-12)


def _extent(slot: Slot) -> tuple[int, int]:
    return slot.offset, slot.offset + max(1, int(np.prod(slot.shape)) * ITEM[slot.dtype])


@pytest.mark.slow
@relaxed
@given(cases())
def test_no_launch_writes_over_what_is_still_to_be_read(case: Case):
    """From the plan alone: the bytes that a launch reads were last written by the launch that computed the value."""
    plan = lower(Network(case.spec, case.signature).training_step, case.sizes())
    owner: dict[int, int] = {}
    values: dict[str, int] = {}

    def check(slot: Slot) -> None:
        if slot.place == "arena":
            start, stop = _extent(slot)
            writers = {owner.get(byte) for byte in range(start, stop)}
            # A view has a name of its own; the net's numbers, above, tell whether it is of the right value.
            assert writers == {values[slot.name]} if slot.name in values else len(writers - {None}) == 1, slot

    for number, launch in enumerate(plan.launches):
        for slot in launch.inputs:
            check(slot)
        outputs = [s for s in launch.outputs if s.place == "arena"]
        for slot in outputs:
            values[slot.name] = number
            start, stop = _extent(slot)
            assert stop <= plan.arena_bytes
            owner.update(dict.fromkeys(range(start, stop), number))
        for one, other in pairwise(sorted(map(_extent, outputs))):
            assert one[1] <= other[0]
        for read in launch.inputs:
            for written in outputs:
                if read.place == "arena":
                    assert _extent(read)[1] <= _extent(written)[0] or _extent(written)[1] <= _extent(read)[0]
    for slot in (*plan.outputs.values(), *(new for new, _ in plan.copies)):
        check(slot)


@pytest.mark.slow
@relaxed
@given(cases())
def test_a_net_updates_every_parameter_and_memory_in_place(case: Case):
    plan = lower(Network(case.spec, case.signature).training_step, case.sizes())
    assert plan.copies == ()


@pytest.mark.parametrize("precision", ["float32", "float64", "complex128"])
def test_memory_grows_with_precision(precision):
    plan = lower(Network(TEXTBOOK, POINTS).training_step, {"batch": 100, "rows": 100}, precision)
    single = lower(Network(TEXTBOOK, POINTS).training_step, {"batch": 100, "rows": 100})
    factor = {"float32": 1, "float64": 2, "complex128": 4}[precision]
    assert plan.arena_bytes == pytest.approx(factor * single.arena_bytes, rel=0.2)
    assert plan.flops == single.flops > 0


GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(("name", "spec", "signature"), [("textbook", TEXTBOOK, POINTS), ("modern", MODERN, IMAGES)])
def test_golden_plans(name, spec, signature):
    plan = lower(Network(spec, signature).training_step, {"batch": 10, "rows": 50})
    assert_golden(render(plan), GOLDEN / f"{name}.txt")


def test_a_plan_for_a_smaller_batch_is_that_of_a_graph_never_planned_before() -> None:
    def graph() -> Graph:
        return Network(MODERN, IMAGES).training_step

    planned = graph()
    lower(planned, {"batch": 8, "rows": 20})
    assert render(lower(planned, {"batch": 3, "rows": 20})) == render(lower(graph(), {"batch": 3, "rows": 20}))
