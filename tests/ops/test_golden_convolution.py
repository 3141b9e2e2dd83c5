"""Convolution, pooling, upsampling and normalization against what PyTorch makes of the same numbers.

scripts/golden_convolution.py has made the numbers and says what is in a case.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.backends.registry import reference_backend
from nnctl.components.registry import components
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.differentiate import differentiate
from nnctl.plan.lower import lower

CASES = json.loads((Path(__file__).parent / "golden" / "convolution.json").read_text())["cases"]


def wave(shape: tuple[int, ...], phase: float) -> np.ndarray:
    """The script's numbers."""
    return np.sin(1.7 * np.arange(np.prod(shape)) + phase).reshape(shape)


def layer_of(fields: dict[str, Any]) -> Any:
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items() if k != "type"}
    return components("layer")[fields["type"]](**given).for_convention("torch")


def run(case: dict[str, Any]) -> dict[str, np.ndarray]:
    """The output, the gradients and the new running statistics, by name."""
    builder = GraphBuilder("golden", training=True)
    x = builder.input("input", tuple(case["shape"]), role="parameter")
    with builder.scope("it"):
        y = builder.build_here(layer_of(case["layer"]), x)
    r = builder.input("r", y.shape, role="statistic")
    parameters = {name.removeprefix("it."): builder.tensor(p.value) for name, p in builder.parameters.items()}
    wanted = {"input": x, **parameters}
    objective = builder.apply("sum", y * r, axes=tuple(range(len(y.shape))))
    gradients = differentiate(builder, objective, list(wanted.values()))
    outputs = {"output": y, **{f"∂{name}": g for name, g in zip(wanted, gradients, strict=True) if g is not None}}
    states = {state.value: state.name.removeprefix("it.") for state in builder.states.values()}
    outputs |= {states[old]: builder.tensor(new) for old, new in builder.new_states.items()}
    values = {"input": wave(x.shape, 0.3), "r": wave(y.shape, 2.0)}
    for number, (name, tensor) in enumerate(parameters.items()):
        values[f"it.{name}"] = wave(tensor.shape, 1.0 + number)
    for state in builder.states.values():
        values[state.name] = np.full(state.value.shape, state.initial)
    backend = reference_backend()
    storage = {name: backend.to_device(array) for name, array in values.items()}
    result = backend.load(lower(builder.graph(outputs), {}, "float64"), storage).start({}, 1).result()
    return {name: array[0] for name, array in result.outputs.items()}


def title(case: dict[str, Any]) -> str:
    return " ".join(map(str, case["layer"].values()))


@pytest.mark.parametrize("case", CASES, ids=title)
def test_golden(case: dict[str, Any]) -> None:
    found = run(case)
    assert list(found["output"].shape) == case["output_shape"]
    expected = {"output": case["output"], **{f"∂{name}": g for name, g in case["gradients"].items()}}
    expected |= {name: case[name] for name in ("running_mean", "running_variance") if name in case}
    assert set(found) == set(expected)
    for name, numbers in expected.items():
        np.testing.assert_allclose(found[name].ravel(), numbers, rtol=1e-6, atol=1e-7, err_msg=name)
