"""The interpreter of graphs: held against the plainest one, value by value."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings

from graph.interpretation import assert_same, interpret
from graph.nets import Case, cases, untouched
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.evaluate import evaluate
from nnctl.graph.ir import Graph
from nnctl.graph.network import Network

relaxed = settings(max_examples=25)


def small() -> Graph:
    """1/x and then its logarithm, of an x with a row a example."""
    builder = GraphBuilder("small")
    x = builder.input("x", (3,))
    inverse = builder.formula("inverse", lambda xp, x: 1.0 / x, x)
    return builder.graph({"y": builder.formula("log", lambda xp, v: xp.log(v), inverse)})


def given_to(case: Case) -> dict[str, np.ndarray]:
    return case.storage() | {name: array[0] for name, array in case.feeds(1).items()}


@pytest.mark.slow
@given(cases())
@relaxed
def test_outputs_and_updates_are_those_of_the_judge(case):
    graph = Network(case.spec, case.signature).training_step
    stored = given_to(case)
    arrays = {c.value: c.array for c in evaluate(graph, stored, case.sizes())}
    meant = interpret(graph, stored, case.sizes())
    found = {name: arrays[value] for name, value in graph.outputs.items()}
    found |= {f"{old.name}⁺": arrays[new] for old, new in graph.updates.items()}
    assert_same(found, meant.by_name(), 1e-12)


@given(cases())
@relaxed
def test_every_value_comes_once_inputs_first_each_after_what_it_reads(case):
    graph = untouched(case.spec, case.signature)
    seen = []
    for computed in evaluate(graph, given_to(case), case.sizes()):
        if computed.node is not None:
            assert computed.value in computed.node.outputs
            assert set(computed.node.inputs) <= set(seen)
        seen.append(computed.value)
    assert seen == [*graph.inputs, *(v for node in graph.nodes for v in node.outputs)]


def test_real_numbers_have_the_precision_asked_for():
    x = np.array([1.0, 3.0, 7.0])
    for precision in (np.float32, np.float64):
        arrays = [c.array for c in evaluate(small(), {"x": x}, {}, precision)]
        assert {a.dtype for a in arrays} == {np.dtype(precision)}
        np.testing.assert_array_equal(arrays[1], 1.0 / x.astype(precision))


def test_what_is_not_asked_for_is_not_computed():
    values = evaluate(small(), {"x": np.ones(3)}, {})
    assert [next(values).value.name for _ in range(2)] == ["x", "inverse"]
    values.close()


def test_numbers_that_are_not_finite_come_without_a_warning_and_callers_keep_theirs():
    values = evaluate(small(), {"x": np.array([0.0, 1.0, -1.0])}, {})
    assert next(values).finite
    assert not next(values).finite
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="divide by zero"):
            np.ones(1) / np.zeros(1)
    assert not next(values).finite


def test_an_input_that_is_not_given():
    with pytest.raises(KeyError, match="x"):
        next(evaluate(small(), {}, {}))
