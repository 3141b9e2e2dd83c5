"""What `check` allows; what it refuses is in `broken/`."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnctl.errors import SpecError
from nnctl.graph.network import Network
from nnctl.spec.check.wiring import layer_names
from nnctl.spec.load import load_spec, load_text

SPECS = Path(__file__).parents[2] / "specs"

TEXT = """\
data: {type: digits, validation: 0.1}
layers:
  - flatten
  - {type: dense, units: 64, activation: relu}
  - {type: dense, units: 64, inputs: [flatten1]}
  - {type: add, inputs: [dense1, dense2, flatten1]}
  - {type: dense, units: 10, activation: softmax}
cost: log_likelihood
schedule: {early_stopping: {monitor: validation_accuracy}}
"""


def test_layers_without_names_are_read_by_type_and_count():
    names = layer_names(load_text(TEXT).spec.layers)
    assert names == ["flatten1", "dense1", "dense2", "add1", "dense3"]


@pytest.mark.parametrize("name", ["digits", "branches", "residual"])
def test_the_graph_calls_layers_the_same(name):
    loaded = load_spec(SPECS / f"{name}.yaml")
    network = Network(loaded.spec, loaded.spec.data.signature(loaded.folder))
    assert [layer.path for layer in network.structure.layers] == layer_names(loaded.spec.layers)


@pytest.mark.parametrize("cost", ["mse", "quadratic", "mae"])
def test_costs_for_any_output(cost):
    load_text(TEXT.replace("log_likelihood", cost))


def test_a_metric_of_the_spec_can_be_monitored():
    text = TEXT.replace("validation_accuracy", "validation_mae") + "metrics: [mae]\n"
    assert load_text(text).spec.schedule.early_stopping.monitor == "validation_mae"


@pytest.mark.parametrize(
    ("monitor", "message", "hint"),
    [
        ("[parameters, parameters]", "'parameters' is named twice", "remove one"),
        (
            "'parameters,train_cost'",
            "no column 'parameters,train_cost'",
            r"write \[parameters, train_cost\], or --monitor",
        ),
        ("parmeters", "no column 'parmeters'", "did you mean 'parameters'"),
    ],
)
def test_objectives_of_a_sweep_are_columns_each_once(monitor: str, message: str, hint: str) -> None:
    with pytest.raises(SpecError, match=rf"(?s){message}.*{hint}"):
        load_text(TEXT + f"sweep: {{grid: {{seed: [1, 2]}}, monitor: {monitor}}}\n")
    load_text(TEXT + "sweep: {grid: {seed: [1, 2]}, monitor: [parameters, train_cost]}\n")
