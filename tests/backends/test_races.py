"""No thread touches between two barriers what another writes there; and the generated source means what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from graph.interpretation import interpret
from graph.nets import Case, cases
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.replay import replay
from backends.spec_steps import SpecSteps, compiled_specs, spec_steps
from nnctl.backends.cpu import schedule
from nnctl.backends.cpu.backend import CpuBackend
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.network import Network
from nnctl.plan.plan import Plan

pytestmark = pytest.mark.compile

PATHS = compiled_specs()
SEQUENCES = {
    "rnn": "rnn, activation: relu, stateful: true",
    "lstm": "lstm, stateful: true",
    "gru": "gru, stateful: true",
    "reset_before": "gru, reset_after: false",
    "both_ways": "lstm, bidirectional: true",
    "masked": "rnn, inputs: [read, real]",
    "masked_lstm": "lstm, inputs: [read, real]",
    "masked_gru": "gru, inputs: [read, real], bidirectional: true",
    "masked_reset_before": "gru, inputs: [read, real], reset_after: false",
}
"""Layers over sequences, behind an embedding called `read` and a mask called `real`."""


def narrow(case: Case) -> dict[str, Any]:
    return {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in case.storage().items()}


def races(plan: Plan, steps: SpecSteps, threads: int) -> list[str]:
    return replay(plan, steps.storage, steps.feeds(2), 2, threads).record.races()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_no_spec_has_a_race(path):
    """A batch of 5, which 3 threads do not divide. Plans have the same barriers for any number of threads."""
    steps, threads = spec_steps(path, 5, 9, brief=True), 3
    plan = CpuBackend(threads).plan(steps.network.training_step, steps.sizes)
    assert races(plan, steps, threads) == []
    if plan.owned is not None:
        assert races(plan.owned, steps, threads) == []


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("layers", SEQUENCES.values(), ids=list(SEQUENCES))
def test_no_scan_of_a_sequence_has_a_race(layers, threads, tmp_path):
    (tmp_path / "text.txt").write_text("abcacb" * 20)
    source = (
        "text, path: text.txt, length: 4" if "stateful" in layers else "copy_memory, symbols: 2, copied: 1, delay: 2"
    )
    mask = "  - {type: mask, name: real, inputs: [input]}\n" if "real" in layers else ""
    (tmp_path / "spec.yaml").write_text(f"""
data: {{type: {source}}}
layers:
{mask}  - {{type: embedding, name: read, units: 2, inputs: [input]}}
  - {{units: 3, return_sequence: true, type: {layers}}}
  - {{type: dense, units: 3, activation: softmax}}
cost: log_likelihood
optimizer: {{type: sgd, learning_rate: 0.1}}
schedule: {{epochs: 1, batch_size: 5}}
""")
    steps = spec_steps(tmp_path / "spec.yaml", 5, 9)
    plan = CpuBackend(threads).plan(steps.network.training_step, steps.sizes)
    assert races(plan, steps, threads) == []
    # Gradients of weights of sequences are sums over the examples of each thread.
    assert plan.owned is not None
    assert races(plan.owned, steps, threads) == []


@pytest.mark.parametrize("graph", ["evaluation", "prediction", "objective"])
def test_nor_have_the_other_steps(graph):
    steps = spec_steps(next(p for p in PATHS if p.stem == "residual"), 4, 9)
    plan = CpuBackend(3).plan(getattr(steps.network, graph), steps.sizes)
    assert races(plan, steps, 3) == []


@settings(max_examples=40)
@given(case=cases(), threads=st.integers(2, 4))
def test_random_nets_have_no_race_and_their_source_means_what_the_graph_means(case, threads):
    """Batches of 1 to 5, also fewer than the threads. One step, in float32 against float64."""
    network = Network(case.spec, case.signature)
    storage, feeds = narrow(case), case.feeds(1, np.float32)
    for graph in (network.training_step, network.objective):
        replayed = replay(CpuBackend(threads).plan(graph, case.sizes()), storage, feeds, 1, threads)
        assert replayed.record.races() == []
    meaning = interpret(network.objective, storage | {k: v[0] for k, v in feeds.items()}, case.sizes()).outputs
    size = max(1.0, *(float(np.max(np.abs(a), initial=0.0)) for a in meaning.values()))
    for name, array in meaning.items():
        # A unit at a kink may fall on either side of it: a few elements may differ, not most.
        assert np.mean(np.abs(replayed.outputs[name][0] - array) > 1e-3 * size) < 0.5, name


# -- the checker itself ---------------------------------------------------------------


@pytest.fixture
def digits() -> SpecSteps:
    return spec_steps(next(p for p in PATHS if p.stem == "digits"), 5, 9)


def test_a_missing_barrier_is_seen(digits):
    plan = CpuBackend(2).plan(digits.network.training_step, digits.sizes)
    planted = replace(plan, launches=tuple(replace(launch, phase=0) for launch in plan.launches))
    assert any("phase 0: thread" in words and "which thread" in words for words in races(planted, digits, 2))


def test_memory_given_away_too_early_is_seen(digits):
    """Gradients laid over an activation that other threads have yet to read."""
    plan = CpuBackend(2).plan(digits.network.training_step, digits.sizes)
    planted = replace(plan, launches=tuple(
        replace(launch, outputs=tuple(s._replace(offset=0) if s.place == "arena" and s.batched else s
                                      for s in launch.outputs))
        for launch in plan.launches
    ))  # fmt: skip
    assert races(planted, digits, 2)


def test_a_scheduler_that_never_waits_is_caught(digits, monkeypatch):
    monkeypatch.setattr(schedule._Scheduler, "_must_wait", lambda self, node: False)
    plan = CpuBackend(2).plan(digits.network.training_step, digits.sizes)
    assert races(plan, digits, 2)


# -- what scheduling must see -----------------------------------------------------------


def test_a_matrix_read_under_another_shape_is_waited_for():
    """Threads cut (3, 2) elsewhere than the six numbers that it shows as (6,)."""
    builder = GraphBuilder("views")
    x = builder.input("x", (3, 2))
    doubled = builder.apply("reshape", x * 2.0, shape=(6,))
    graph = builder.graph({"y": doubled * builder.input("z", (6,))})
    plan = CpuBackend(2).plan(graph, {})
    storage = {"x": np.arange(6, dtype=np.float32).reshape(3, 2), "z": np.full(6, 3.0, np.float32)}
    for threads in (2, 3, 4):
        feeds = {name: array[None] for name, array in storage.items()}
        replayed = replay(plan, {}, feeds, 1, threads)
        assert replayed.record.races() == []
        np.testing.assert_array_equal(replayed.outputs["y"][0], 6.0 * np.arange(6))


def test_a_number_read_as_a_matrix_has_memory():
    builder = GraphBuilder("number")
    x = builder.input("x", (4,))
    total = builder.apply("sum", x, axes=(0,))
    matrix = builder.apply("reshape", total, shape=(1, 1))
    graph = builder.graph({"p": builder.apply("matmul", matrix, matrix), "t": total, "s": matrix * x})
    plan = CpuBackend(2).plan(graph, {})
    for threads in (1, 2, 3):
        replayed = replay(plan, {}, {"x": np.arange(4, dtype=np.float32)[None]}, 1, threads)
        assert replayed.record.races() == []
        assert float(replayed.outputs["p"][0, 0, 0]) == 36.0
        assert float(replayed.outputs["t"][0]) == 6.0
        np.testing.assert_array_equal(replayed.outputs["s"][0], [[0.0, 6.0, 12.0, 18.0]])


def test_numbers_in_storage_are_updated_and_read_in_order():
    """count ← count + 1 in every step, its old value an output, its new one a factor."""
    builder = GraphBuilder("count")
    count = builder.input("count", (), role="optimizer state")
    x = builder.input("x", (3,))
    new = count + 1.0
    graph = builder.graph({"old": count, "scaled": x * new}, {count.value: new})
    plan = CpuBackend(2).plan(graph, {})
    for threads in (1, 2, 3):
        replayed = replay(plan, {"count": np.float32(4.0)}, {"x": np.ones((3, 3), np.float32)}, 3, threads)
        assert replayed.record.races() == []
        assert float(replayed.storage["count"]) == 7.0
        np.testing.assert_array_equal(replayed.outputs["old"], [4.0, 5.0, 6.0])
        np.testing.assert_array_equal(replayed.outputs["scaled"][:, 0], [5.0, 6.0, 7.0])
