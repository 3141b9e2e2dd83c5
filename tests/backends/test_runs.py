"""Runs that go through a few examples at a time: what is in them, what lies in memory of a thread, and their bits."""

from __future__ import annotations

import pytest

from backends.spec_steps import SpecSteps, spec_steps
from backends.test_steps import bits_after
from nnctl.backends.cpu.backend import CpuBackend
from nnctl.backends.cpu.codegen import runs
from nnctl.backends.cpu.codegen.source import StepSource, generate

pytestmark = pytest.mark.compile

PLAIN = """
  - {type: conv2d, filters: 5, kernel: 3, activation: relu}
  - {type: max_pool, size: 2}
  - {type: conv2d, filters: 4, kernel: 2, activation: tanh}
  - {type: dropout, rate: 0.4}
"""
NORMALIZED = """
  - {type: conv2d, filters: 6, kernel: 3, padding: same, bias: false}
  - batch_norm
  - {type: activation, activation: relu}
  - {type: conv2d, filters: 33, kernel: 3, padding: same}
  - {type: conv2d, filters: 34, kernel: 3, padding: same, activation: relu}
"""
SEQUENCE = """
  - {type: reshape, shape: [8, 8]}
  - {type: conv1d, filters: 5, kernel: 3, activation: relu}
  - {type: gru, units: 4}
"""
nets = pytest.mark.parametrize("layers", [PLAIN, NORMALIZED, SEQUENCE], ids=["plain", "normalized", "sequence"])


def steps_of(layers: str, batch: int, tmp_path) -> SpecSteps:
    path = tmp_path / "spec.yaml"
    last = "" if "gru" in layers else "  - flatten\n"
    path.write_text(
        f"data: digits\nlayers:{layers}{last}  - {{type: dense, units: 10, activation: softmax}}\n"
        "cost: log_likelihood\noptimizer: {type: adam, learning_rate: 0.01}\n"
    )
    return spec_steps(path, batch, 60)


def source_of(layers: str, batch: int, tmp_path) -> tuple[StepSource, tuple[str, ...]]:
    steps = steps_of(layers, batch, tmp_path)
    plan = CpuBackend(2).plan(steps.network.training_step, steps.sizes)
    return generate(plan), tuple(launch.op.name for launch in plan.launches)


@nets
def test_no_bit_depends_on_the_blocks(layers, tmp_path, monkeypatch):
    """Of batches of which threads have blocks of different sizes, and one block."""
    for batch in (35, 52):
        steps = steps_of(layers, batch, tmp_path)
        found = {threads: bits_after(steps, threads, 3) for threads in (1, 2, 3)}
        with monkeypatch.context() as patched:
            patched.setattr(runs, "_MOST_BLOCKS", 1)
            whole = bits_after(steps_of(layers, batch, tmp_path), 1, 3)
        assert all(bits == whole for bits in found.values())


def test_a_run_goes_from_the_images_to_the_gradient_that_weights_need(tmp_path):
    source, ops = source_of(PLAIN, 32, tmp_path)
    (run,) = source.runs
    inside = [ops[entry.launch] for entry in source.entries[run.first : run.last]]
    assert inside.count("convolution") == 2
    assert inside.count("convolution_transpose") == inside.count("max_pool") == inside.count("max_pool_gradient") == 1
    assert "convolution_kernel" not in inside
    assert run.blocks(1) == 4
    assert run.blocks(2) == 2
    assert run.blocks(5) == 1


def test_what_nothing_else_reads_lies_in_memory_of_the_thread(tmp_path):
    steps = steps_of(PLAIN, 32, tmp_path)
    plan = CpuBackend(2).plan(steps.network.training_step, steps.sizes)
    (run,) = generate(plan).runs
    kept = {place for place, _ in run.local}
    inside = [launch for launch in plan.launches if launch.phase == 0 and launch.outputs[0].offset in kept]
    assert {"convolution", "max_pool", "convolution_transpose"} <= {launch.op.name for launch in inside}
    of_weights = [launch for launch in plan.launches if launch.op.name == "convolution_kernel"]
    assert len(of_weights) == 2
    assert all(slot.offset not in kept for launch in of_weights for slot in launch.inputs if slot.place == "arena")


def test_sequences_are_gone_through_with_all_examples(tmp_path):
    source, ops = source_of(SEQUENCE, 32, tmp_path)
    assert source.runs
    for run in source.runs:
        assert not {"gru", "gru_gradient"} & {ops[entry.launch] for entry in source.entries[run.first : run.last]}


def test_large_weights_are_read_once(tmp_path):
    wide = PLAIN.replace("filters: 4, kernel: 2", "filters: 400, kernel: 7, padding: same")
    source, ops = source_of(wide, 32, tmp_path)
    assert runs._WEIGHTS < 5 * 7 * 7 * 400
    inside = [ops[entry.launch] for run in source.runs for entry in source.entries[run.first : run.last]]
    assert inside.count("convolution") <= 1


def test_a_net_without_images_has_no_runs(tmp_path):
    source, _ = source_of("\n  - {type: dense, units: 7, activation: relu}\n", 64, tmp_path)
    assert source.runs == ()
