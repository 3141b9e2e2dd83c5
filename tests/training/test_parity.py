"""Parity: what is rounding passes, what is not is named with its place; a kink is no fault."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.analysis.parity import Parity
from nnctl.backends.launch_by_launch import LaunchByLaunch, LaunchByLaunchBackend
from nnctl.cli import main
from nnctl.components import registry
from nnctl.components.base import BackendComponent
from nnctl.errors import RunError, UsageError
from nnctl.plan.plan import Launch, Plan
from nnctl.spec.load import load_text

SPECS = Path(__file__).parents[2] / "specs"
NET = """
data: {type: blobs, examples: 64, validation: 8, seed: 0}
layers:
  - {type: dense, units: 5, activation: relu}
  - {type: dense, units: 3, activation: softmax}
cost: log_likelihood
optimizer: {type: adam, learning_rate: 0.01}
schedule: {epochs: 1, batch_size: 8}
backend: numpy
"""

Change = Callable[[Launch, list[Any], list[Any]], None]


class Changed(LaunchByLaunch):
    """Launches with something done to their outputs."""

    change: Change

    def _bind(self, launch: Launch) -> Callable[[], None]:
        run = super()._bind(launch)
        inputs, outputs = ([self._array(slot) for slot in slots] for slots in (launch.inputs, launch.outputs))

        def changed() -> None:
            run()
            type(self).change(launch, inputs, outputs)

        return changed


@contextmanager
def backend_that(change: Change) -> Iterator[None]:
    """A time in which there is a backend `changed`, the reference but for what `change` does to a launch's outputs."""
    executable = type("Executable", (Changed,), {"change": staticmethod(change)})

    class Backend(LaunchByLaunchBackend):
        name = "changed"

        def load(self, plan: Plan, storage: Mapping[str, Any]) -> LaunchByLaunch:
            loaded: LaunchByLaunch = executable(plan, storage, self)
            return loaded

    class Component(BackendComponent):
        """The reference, changed."""

        rank = -1

        def open(self, workers: int | None = None) -> Backend:
            return Backend()

    registry.register("backend", "changed")(Component)
    try:
        yield
    finally:
        del registry._registry["backend"]["changed"]


def parity(text: str = NET, **options: Any) -> Parity:
    loaded = load_text(text, "net.yaml")
    return Parity(loaded.spec, loaded.spec.data.signature(loaded.folder), **options)


def nothing(launch: Launch, inputs: list[Any], outputs: list[Any]) -> None:
    """The launch as it is."""


def last_bit(launch: Launch, inputs: list[Any], outputs: list[Any]) -> None:
    """Every result by one unit in the last place."""
    for array in outputs:
        if array.dtype == np.float32:
            array[...] = np.nextafter(array, np.float32(np.inf))


def test_a_backend_that_computes_the_same_is_the_same() -> None:
    with backend_that(nothing):
        result = parity(backend="changed").run(5)
    assert {tensor.verdict for tensor in result.tensors} == {"SAME"}
    assert all(tensor.difference == tensor.apart == 0.0 for tensor in result.tensors)
    assert result.left is result.origin is None


def test_the_last_bit_is_rounding() -> None:
    with backend_that(last_bit):
        result = parity(backend="changed").run(20)
    assert {tensor.verdict for tensor in result.tensors} <= {"ROUNDING", "SAME"}
    weight = next(tensor for tensor in result.tensors if tensor.tensor == "dense1.weight")
    assert (weight.layer, weight.shape, weight.verdict) == ("dense1", (2, 5), "ROUNDING")
    assert 0.0 < weight.relative < 1e-5
    assert 0.0 < weight.rounding < 1e-5


@pytest.mark.parametrize("error", [1e-4, 1e-3, float("nan")])
@pytest.mark.parametrize(("layer", "op"), [("dense1", "matmul"), ("dense2", "softmax"), ("dense2", "adam")])
def test_a_wrong_op_is_named_with_its_layer_and_step(layer: str, op: str, error: float) -> None:
    ran = 0

    def change(launch: Launch, inputs: list[Any], outputs: list[Any]) -> None:
        nonlocal ran
        if (launch.layer, launch.op.name) == (layer, op):
            ran += 1
            # From the third step on: two of the side that starts anew each time, two of that which goes its own way.
            if ran > 4 * wrong_a_step:
                outputs[0][...] += np.float32(error) * np.abs(outputs[0]).max()

    wrong_a_step = {"matmul": 2, "softmax": 1, "adam": 2}[op]
    with backend_that(change):
        result = parity(backend="changed").run(4)
    assert result.left == 2
    assert result.origin is not None
    assert (result.origin.step, result.origin.layer, result.origin.op) == (2, layer, op)


def test_state_that_is_not_kept_is_found() -> None:
    def forget(launch: Launch, inputs: list[Any], outputs: list[Any]) -> None:
        if launch.op.name == "adam":
            outputs[1][...] = 0.0

    with backend_that(forget):
        result = parity(backend="changed").run(2)
    assert [tensor.tensor for tensor in result.tensors if tensor.left == 0] == [
        f"optimizer.mean.{name}" for name in ("dense1.weight", "dense1.bias", "dense2.weight", "dense2.bias")
    ]


def test_a_kink_is_no_fault() -> None:
    text = NET.replace("activation: relu", "activation: relu, initializer: zeros, bias_initializer: zeros")
    assert text != NET

    def other_side(launch: Launch, inputs: list[Any], outputs: list[Any]) -> None:
        # The derivative of relu at 0 is any number from 0 to 1.
        if launch.op.name == "relu'":
            outputs[0][inputs[1] == 0.0] = 0.1

    with backend_that(other_side):
        result = parity(text, backend="changed").run(1)
    assert {tensor.verdict for tensor in result.tensors} == {"KINK", "SAME"}
    assert result.left is None


def test_two_backends_are_needed() -> None:
    with pytest.raises(UsageError, match="both are numpy"):
        parity()


def test_a_cost_that_is_no_number_is_told() -> None:
    with backend_that(nothing), pytest.raises(RunError, match="not finite in step"):
        parity(NET.replace("adam, learning_rate: 0.01", "sgd, learning_rate: 1e30"), backend="changed").run(50)


def test_the_command_exits_with_5_and_prints_every_tensor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.yaml").write_text(NET)
    spec = str(tmp_path / "net.yaml")

    def wrong(launch: Launch, inputs: list[Any], outputs: list[Any]) -> None:
        if launch.op.name == "softmax":
            outputs[0][...] *= np.float32(1.01)

    with backend_that(wrong):
        assert main(["parity", spec, "--backend", "changed", "--steps", "3"]) == 5
    shown = capsys.readouterr()
    rows = [json.loads(line) for line in shown.out.splitlines()]
    assert {"cost", "dense1.weight", "optimizer.mean.dense2.bias"} <= {row["tensor"] for row in rows}
    assert {row["verdict"] for row in rows} >= {"LEFT"}
    assert shown.err.startswith("backend changed against numpy, batch 8, 3 steps\n")
    assert "left float32 rounding in step 0\n  first in dense2.a (softmax): 1.0e-02 of its largest element" in shown.err
    with backend_that(last_bit):
        assert main(["parity", spec, "--backend", "changed", "--steps", "3"]) == 0


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.parametrize("name", ["digits", "conv-digits", "batch-norm", "char-lstm", "dropout", "lbfgs"])
def test_the_compiled_backend_keeps_within_rounding(name: str) -> None:
    text = (SPECS / f"{name}.yaml").read_text()
    loaded = load_text(text, f"{name}.yaml", folder=SPECS)
    compared = Parity(loaded.spec, loaded.spec.data.signature(loaded.folder), batch=8)
    assert compared.names == ("cpu", "numpy")
    assert compared.run(10).left is None
