"""Components of a third party take part: what is asked of a component is asked through its base class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest

from nnctl.analysis.diagnosis import diagnose
from nnctl.cli import main
from nnctl.components import registry
from nnctl.components.activations import Sigmoid
from nnctl.components.base import (
    Activation,
    Augmentation,
    Clipping,
    ElementwiseCost,
    Layer,
    MonitoredSchedule,
    Optimizer,
)
from nnctl.components.fields import NonEmptyStr, PositiveInt
from nnctl.components.registry import register
from nnctl.components.signature import DataSignature
from nnctl.data.augmentations.pixels import Noise
from nnctl.data.dataset import load_dataset
from nnctl.data.examples import Description, Examples
from nnctl.data.source import Source
from nnctl.errors import ShapeError, SpecError
from nnctl.graph.host_graphs import HostGraphs
from nnctl.graph.network import Network
from nnctl.inference.test_time import usable
from nnctl.spec.check.advice import advice
from nnctl.spec.load import Loaded, load_text
from nnctl.training.rates import Rates
from nnctl.training.timetable import Timetable

LABELS = DataSignature((4,), "real", ("a", "b", "c"))
VALUES = DataSignature((4,), "real", None, (2,))


@pytest.fixture(autouse=True)
def third_party(monkeypatch: pytest.MonkeyPatch) -> None:
    """Components that are registered for a test and unknown after it."""
    registry.components("layer")
    monkeypatch.setattr(registry, "_registry", {kind: dict(known) for kind, known in registry._registry.items()})

    @register("layer", "fork")
    class Fork(Layer):
        """Two chains of layers, added up."""

        left: tuple[Layer, ...]
        right: tuple[Layer, ...]

        @property
        def children(self) -> Mapping[str, tuple[Layer, ...]]:
            return {"left": self.left, "right": self.right}

        def build(self, builder: Any, *inputs: Any) -> Any:
            sides = []
            for name, layers in self.children.items():
                x = inputs[0]
                with builder.scope(name):
                    for layer in layers:
                        x = builder.build(layer, x)
                sides.append(x)
            return sides[0] + sides[1]

    @register("layer", "integrator")
    class Integrator(Layer):
        """The sum of all that it has read."""

        both_ways: bool = False

        @property
        def keeps_state(self) -> bool:
            return True

        @property
        def reads_ahead(self) -> bool:
            return self.both_ways

        def build(self, builder: Any, *inputs: Any) -> Any:
            total = builder.state("total", inputs[0].shape)
            builder.set_state(total, total + inputs[0])
            return total + inputs[0]

    @register("layer", "squashed")
    class Squashed(Layer):
        """Units of its own kind."""

        units: PositiveInt
        with_f: Annotated[Activation, "f"] = Sigmoid()

        @property
        def output_activation(self) -> Activation:
            return self.with_f

        @property
        def linear(self) -> bool:
            return self.with_f.type == "linear"

        def unfit_for_pretraining(self, name: str) -> tuple[str, str] | None:
            return None if self.with_f.type == "sigmoid" else (f"'{name}' is no machine", "let it be one")

        def build(self, builder: Any, *inputs: Any) -> Any:
            fans = (inputs[0].shape[-1], self.units)
            weight = builder.parameter("weight", fans, kind="weight", fans=fans)
            bias = builder.parameter("bias", (self.units,), kind="bias", fans=fans)
            return self.with_f.build(builder, builder.apply("matmul", inputs[0], weight) + bias)

    @register("layer", "wire")
    class Wire(Layer):
        """Its input as it is."""

        transparent = True

        def build(self, builder: Any, *inputs: Any) -> Any:
            return inputs[0]

    @register("activation", "stuck")
    class Stuck(Sigmoid):
        """A sigmoid that says of itself that it does not learn."""

        learns: ClassVar[bool] = False

    @register("cost", "squares")
    class Squares(ElementwiseCost):
        """A square, and what it costs to guess."""

        least_squares = True

        def of_even_guess(self, classes: int, units: int) -> float:
            return 0.125 * classes

        def body(self, xp: Any, a: Any, y: Any) -> Any:
            return xp.square(a - y)

        def derivative(self, xp: Any, a: Any, y: Any) -> Any:
            return 2.0 * (a - y)

    @register("optimizer", "signs")
    class Signs(Optimizer):
        """A rule with a bound and two scheduled fields."""

        scheduled = ("learning_rate", "push")
        learning_rate: float = 0.5
        push: float = 0.25
        bound: Clipping | None = None

        @property
        def clipping(self) -> Clipping | None:
            return self.bound

        def update(self, xp: Any, w: Any, g: Any, t: Any, scheduled: Any, *state: Any) -> Any:
            return (w - scheduled["learning_rate"] * xp.sign(g) * scheduled["push"],)

    @register("schedule", "listener")
    class Listener(MonitoredSchedule):
        """A schedule that halves the rate at each evaluation."""

        column: NonEmptyStr

        @property
        def monitored(self) -> str:
            return self.column

        def initial(self) -> dict[str, Any]:
            return {"factor": 1.0, "stop": False}

        def observe(self, memory: Mapping[str, Any], value: float, higher_is_better: bool) -> dict[str, Any]:
            return {"factor": 0.5 * memory["factor"], "stop": False}

    @register("data", "letters")
    class Letters(Source):
        """Letters, each followed by the next."""

        @property
        def contiguous(self) -> bool:
            return True

        @property
        def predicts_next(self) -> bool:
            return True

        @property
        def augmentations(self) -> tuple[Augmentation, ...]:
            return (Noise(std=0.5),)

        def tokens_of(self, text: str) -> Sequence[str]:
            return text.upper()

        def describe(self, folder: Path) -> Description:
            return Description((4,), "real", ("a", "b", "c"))

        def read(self, folder: Path, seed: int) -> Examples:
            rng = np.random.default_rng(seed)
            inputs = rng.standard_normal((60, 4)).astype(np.float32)
            return Examples(self.describe(folder), inputs, rng.integers(0, 3, 60))


def loaded(layers: str, rest: str = "cost: quadratic", data: str = "digits") -> Loaded:
    return load_text(f"data: {data}\nlayers: [{layers}]\n{rest}\n", "s.yaml")


def problem(layers: str, rest: str = "cost: quadratic", data: str = "digits") -> str:
    with pytest.raises(SpecError) as error:
        loaded(layers, rest, data)
    return str(error.value)


# -- layers -------------------------------------------------------------------------------


def test_children_have_distinct_names_and_read_one_another_alone() -> None:
    same = "[{type: dense, units: 2, name: x}, {type: dense, units: 2, name: x}]"
    said = problem(f"{{type: fork, left: [flatten], right: {same}}}")
    assert "two layers are called 'x'" in said
    said = problem("{type: fork, left: [flatten], right: [{type: flatten, inputs: [input]}]}")
    assert "a layer inside 'fork' reads the one before it" in said
    assert said.startswith("s.yaml:2:")


def test_advice_reaches_children() -> None:
    (said,) = advice(
        loaded("{type: fork, left: [{type: dense, units: 2, activation: step}], right: [flatten]}, flatten").spec
    )
    assert said.startswith("layer 'fork1.dense1' ends in 'step'")


def test_children_are_built_with_names_of_their_own() -> None:
    spec = loaded("{type: fork, left: [{type: dense, units: 2}], right: [{type: dense, units: 2}]}").spec
    assert list(Network(spec, VALUES).structure.parameters) == [
        f"fork1.{side}.dense1.{name}" for side in ("left", "right") for name in ("weight", "bias")
    ]


def test_a_state_that_lives_on_needs_batches_that_follow_one_another() -> None:
    assert "'integrator' cannot carry its state" in problem("integrator, {type: dense, units: 2}")
    inside = problem("{type: repeat, times: 1, layers: [integrator]}")
    assert "'integrator' cannot carry its state" in inside
    assert "held out at random" in problem("integrator", data="letters")
    loaded("integrator", data="{type: letters, split: ordered}")


def test_a_state_that_lives_on_is_recurrent_state() -> None:
    structure = Network(loaded("integrator, {type: dense, units: 2}", data="{type: letters, split: ordered}").spec,
                        VALUES).structure  # fmt: skip
    assert list(structure.recurrent_states) == ["integrator1.total"]


def test_a_layer_that_reads_ahead_gives_targets_away() -> None:
    data = "{type: letters, split: ordered}"
    assert "gives away its targets" in problem("{type: integrator, both_ways: true}", data=data)


def test_the_activation_of_a_last_layer_is_held_against_the_cost() -> None:
    assert "does not belong with a tanh output" in problem(
        "{type: squashed, units: 2, with_f: tanh}", "cost: cross_entropy"
    )
    loaded("{type: squashed, units: 2}", "cost: cross_entropy")


def test_an_activation_that_does_not_learn_is_advised_against() -> None:
    (said,) = advice(loaded("{type: squashed, units: 2, with_f: stuck}").spec)
    assert "ends in 'stuck'" in said


PRETRAINING = "cost: cross_entropy\npretraining: {layers: [hidden]}"


def test_a_layer_may_learn_as_a_machine_behind_one_that_changes_nothing() -> None:
    last = "{type: dense, units: 10, activation: sigmoid}"
    loaded(f"flatten, wire, {{type: squashed, name: hidden, units: 3}}, {last}", PRETRAINING)
    said = problem(f"flatten, wire, {{type: squashed, name: hidden, units: 3, with_f: relu}}, {last}", PRETRAINING)
    assert "'hidden' is no machine" in said
    between = f"flatten, integrator, {{type: squashed, name: hidden, units: 3}}, {last}"
    said = problem(between, PRETRAINING, "{type: letters, split: ordered}")
    assert "dropout, flatten, gaussian_noise, reshape, wire" in said


def test_dropped_weights_are_no_machine() -> None:
    said = problem("flatten, {type: dropconnect, name: hidden, units: 3, activation: sigmoid}", PRETRAINING)
    assert "'hidden' is of type dropconnect" in said


# -- costs, optimizers, schedules -----------------------------------------------------------


RIDGE = "cost: COST\noptimizer: ridge\nschedule: {batch_size: full}"


def test_a_linear_layer_under_a_square_is_solved_for() -> None:
    linear = "{type: squashed, units: 2, with_f: linear}"
    graph = HostGraphs(Network(loaded(linear, RIDGE.replace("COST", "squares")).spec, VALUES)).readout
    assert set(graph.outputs) == {"features", "targets"}
    with pytest.raises(ShapeError, match="least squares"):
        _ = HostGraphs(Network(loaded(linear, RIDGE.replace("COST", "mae")).spec, VALUES)).readout
    bent = loaded("{type: squashed, units: 2, with_f: tanh}", RIDGE.replace("COST", "squares")).spec
    with pytest.raises(ShapeError, match="dense and linear"):
        _ = HostGraphs(Network(bent, VALUES)).readout


def test_a_cost_says_what_a_guess_costs(tmp_path: Path) -> None:
    spec = loaded("{type: dense, units: 3}", "cost: squares", "{type: letters, split: ordered}").spec
    assert diagnose(spec, load_dataset(spec.data, tmp_path, 0), 0).expected == 0.375
    silent = replace(spec, cost=registry.components("cost")["mae"]())
    assert diagnose(silent, load_dataset(spec.data, tmp_path, 0), 0).expected is None


@pytest.mark.parametrize(
    ("cost", "classes", "units", "expected"),
    [
        ("log_likelihood", 10, 10, math.log(10.0)),
        ("cross_entropy", 2, 1, math.log(2.0)),
        ("cross_entropy", 2, 2, 2.0 * math.log(2.0)),
        ("cross_entropy", 10, 10, 10.0 * math.log(2.0)),
        ("quadratic", 10, 10, None),
    ],
)
def test_an_even_guess(cost: str, classes: int, units: int, expected: float | None) -> None:
    assert registry.components("cost")[cost]().of_even_guess(classes, units) == expected


def test_an_optimizer_bounds_its_gradients() -> None:
    rest = "cost: quadratic\noptimizer: {type: signs, bound: BOUND}"
    for bound, clips in (("{type: norm, limit: 1.0}", True), ("null", False)):
        spec = loaded("{type: dense, units: 2}", rest.replace("BOUND", bound)).spec
        assert (spec.optimizer.clipping is not None) == clips
        assert any(n.layer == "clip" for n in Network(spec, VALUES).unfused_training_step.nodes) == clips


def test_an_optimizers_scheduled_fields_are_fed() -> None:
    spec = loaded("{type: dense, units: 2}", "cost: quadratic\noptimizer: {type: signs, push: 2}").spec
    assert spec.optimizer.rates() == {"learning_rate": 0.5, "push": 2.0}
    rates = Rates(spec.schedule.learning_rate, spec.optimizer, Timetable.of_spec(spec, 64))
    assert {name: values.tolist() for name, values in rates.values(0, 2).items()} == {
        "learning_rate": [0.5, 0.5],
        "push": [2.0, 2.0],
    }


def test_a_monitored_column_is_held_against_those_there_will_be() -> None:
    rest = "cost: quadratic\nschedule: {learning_rate: {type: listener, column: COLUMN}}"
    assert "no column 'train_kost' will be measured" in problem(
        "{type: dense, units: 2}", rest.replace("COLUMN", "train_kost")
    )
    loaded("{type: dense, units: 2}", rest.replace("COLUMN", "train_cost"))


# -- data ------------------------------------------------------------------------------------


def test_a_source_augments_as_it_says() -> None:
    assert usable(loaded("flatten", data="letters").spec, "a run") == (Noise(std=0.5),)


def test_a_source_knows_its_tokens_and_what_it_leaves_out() -> None:
    source = loaded("flatten", data="{type: letters, subset: 10}").spec.data
    assert source.tokens_of("abc") == "ABC"
    whole = source.without_subset()
    assert whole is not None
    assert whole.without_subset() is None
    assert registry.components("data")["digits"]().tokens_of("abc") is None


def test_training_and_inspection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way: a net of foreign layers under a foreign cost, optimizer and schedule on foreign data."""
    monkeypatch.chdir(tmp_path)
    Path("foreign.yaml").write_text(
        "data: {type: letters, split: ordered, validation: 12}\n"
        "layers:\n"
        "  - wire\n"
        "  - {type: fork, left: [{type: squashed, units: 3}], right: [{type: dense, units: 3}]}\n"
        "  - integrator\n"
        "  - {type: squashed, units: 3}\n"
        "cost: squares\n"
        "optimizer: {type: signs, bound: {type: norm, limit: 1.0}}\n"
        "schedule: {epochs: 2, batch_size: 4, learning_rate: {type: listener, column: validation_cost}}\n"
        "backend: numpy\n"
    )
    assert main(["inspect", "foreign.yaml"]) == 0
    assert main(["train", "foreign.yaml", "--out", "run", "--quiet"]) == 0
