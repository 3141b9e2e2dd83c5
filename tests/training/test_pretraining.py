"""Restricted Boltzmann machines against enumeration, and deep belief nets through a run."""

from __future__ import annotations

import itertools
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.cli import main
from nnctl.data.dataset import load_dataset
from nnctl.data.formats.images import read_image
from nnctl.data.pictures import PictureOptions
from nnctl.data.streams import Purpose
from nnctl.errors import DivergedError, Interrupted, SpecError, UsageError
from nnctl.inference.opened import open_run
from nnctl.inference.sampling import as_stored, draw, grid, picture, sample
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs import checkpoints
from nnctl.runs.folder import RunFolder
from nnctl.spec.load import Loaded, load_spec, load_text
from nnctl.training import session
from nnctl.training.events import Finished, Pretrained
from nnctl.training.pretraining import greedy as pretraining
from nnctl.training.pretraining.boltzmann import Learner, Machine, StepDraws, bernoulli, first_machine
from nnctl.training.signals import StopRequest

SPECS = Path(__file__).parents[2] / "specs"
PATTERNS = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1]], np.float64)
STATES = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
"""All values of three visible units."""


def draws(step: int, phase: int = 0) -> StepDraws:
    return StepDraws(7, Purpose.PRETRAIN, phase, step)


def random_machine(visible: int = 3, hidden: int = 2, *, gaussian: bool = False, spread: float = 1.0) -> Machine:
    rng = np.random.default_rng(3)
    return Machine(
        spread * rng.normal(size=(visible, hidden)), rng.normal(size=visible), rng.normal(size=hidden), gaussian
    )


def log_likelihood(machine: Machine, v: np.ndarray[Any, Any]) -> float:
    """The mean of log p(v), by the sum over all states of three visible units."""
    log_z = np.logaddexp.reduce(-machine.free_energy(STATES))
    return float(np.mean(-machine.free_energy(v) - log_z))


def model_moments(machine: Machine) -> Machine:
    """⟨v hᵀ⟩, ⟨v⟩, ⟨h⟩ under the model, by the sum over all states of both kinds of units."""
    hidden = np.array(list(itertools.product((0.0, 1.0), repeat=2)))
    energy = -(STATES @ machine.weight @ hidden.T) - (STATES @ machine.visible_bias)[:, None]
    p = np.exp(-(energy - hidden @ machine.hidden_bias))
    p /= p.sum()
    return Machine(STATES.T @ p @ hidden, p.sum(1) @ STATES, p.sum(0) @ hidden)


def learned(
    data: np.ndarray[Any, Any], machine: Machine, updates: int, *, persistent: bool = False, **options: Any
) -> tuple[Machine, list[float]]:
    rule: dict[str, Any] = {"learning_rate": 0.1, "momentum": 0.5, "weight_decay": 1e-4, "k": 1} | options
    learner = Learner(machine, **rule, chains=data.copy() if persistent else None)
    errors = [learner.step(data, draws(step)) / len(data) for step in range(1, updates + 1)]
    return learner.machine, errors


def test_the_free_energy_sums_the_hidden_units_out() -> None:
    machine = random_machine()
    hidden = np.array(list(itertools.product((0.0, 1.0), repeat=2)))
    exponents = STATES @ machine.weight @ hidden.T + (STATES @ machine.visible_bias)[:, None]
    exponents += hidden @ machine.hidden_bias
    np.testing.assert_allclose(machine.free_energy(STATES), -np.logaddexp.reduce(exponents, axis=1))


@pytest.mark.parametrize("gaussian", [False, True])
def test_probabilities_of_hidden_units_are_those_of_the_energy(gaussian: bool) -> None:
    """p(h = 1 | v) is −∂F/∂c."""
    machine = random_machine(gaussian=gaussian)
    for unit in range(2):
        shift = np.zeros(2)
        shift[unit] = 1e-6
        up, down = (
            Machine(machine.weight, machine.visible_bias, machine.hidden_bias + sign * shift, gaussian).free_energy(
                STATES
            )
            for sign in (1, -1)
        )
        np.testing.assert_allclose(machine.hidden(STATES)[:, unit], (down - up) / 2e-6, rtol=1e-7)


def test_the_gradient_of_the_likelihood_is_the_difference_of_moments() -> None:
    machine = random_machine()
    data, model = machine.moments(PATTERNS), model_moments(machine)
    h = 1e-6
    for name in ("weight", "visible_bias", "hidden_bias"):
        value = getattr(machine, name)
        for index in np.ndindex(value.shape):
            shift = np.zeros_like(value)
            shift[index] = h
            up, down = (
                log_likelihood(
                    Machine(**{f.name: getattr(machine, f.name) for f in fields(Machine)} | {name: value + sign}),
                    PATTERNS,
                )
                for sign in (shift, -shift)
            )
            analytic = getattr(data, name)[index] - getattr(model, name)[index]
            assert analytic == pytest.approx((up - down) / (2 * h), abs=1e-8)


@pytest.mark.parametrize("persistent", [False, True], ids=["cd", "pcd"])
def test_after_many_gibbs_steps_the_negative_phase_is_the_models(persistent: bool) -> None:
    machine = random_machine()
    many = np.tile(PATTERNS, (5000, 1))
    rule = {"learning_rate": 1.0, "momentum": 0.0, "weight_decay": 0.0}
    after, _ = learned(many, machine, 1, k=40, persistent=persistent, **rule)
    data, model = machine.moments(many), model_moments(machine)
    for name in ("weight", "visible_bias", "hidden_bias"):
        taken = getattr(after, name) - getattr(machine, name)
        # 20,000 chains: the standard error of a mean is below 0.0036.
        np.testing.assert_allclose(taken, getattr(data, name) - getattr(model, name), atol=0.015)


@pytest.mark.parametrize("persistent", [False, True], ids=["cd", "pcd"])
def test_patterns_are_learned(persistent: bool) -> None:
    data = np.tile(PATTERNS, (25, 1))
    machine = first_machine(data.mean(axis=0), len(data), 2, False, draws(0))
    after, errors = learned(data, machine, 600, persistent=persistent)
    assert np.mean(errors[-20:]) < 0.6 * np.mean(errors[:5])
    before, reached = log_likelihood(machine, PATTERNS), log_likelihood(after, PATTERNS)
    best = float(np.mean(np.log([0.5, 0.5, 0.25, 0.25])))
    assert before < -1.6
    assert reached > best - 0.25


def test_gaussian_units_learn_where_the_data_lie() -> None:
    """Two clusters at ±2 in each of three correlated units of variance 1."""
    rng = np.random.default_rng(0)
    side = rng.choice([-2.0, 2.0], size=(400, 1))
    data = side + rng.normal(size=(400, 3))
    machine = first_machine(data.mean(axis=0), len(data), 2, True, draws(0))
    after, errors = learned(data, machine, 400, learning_rate=0.05)
    # What is left is the variance about the clusters, 1, and the doubt about which it is.
    assert errors[0] > 4.0
    assert np.mean(errors[-20:]) < 1.6
    drawn = draw([after], np.zeros((500, 3)), 60, seed=1)
    assert np.corrcoef(drawn.T)[0, 1] > 0.7


def test_weight_decay_and_momentum() -> None:
    """With nothing to learn, v = E[v] and one state, only the decay is left: Δ ← μΔ − ηλW."""
    machine = Machine(np.full((1, 1), 2.0), np.full(1, 100.0), np.full(1, 100.0))
    after, _ = learned(np.ones((4, 1)), machine, 2, learning_rate=0.5, momentum=0.5, weight_decay=0.1)
    first = -0.5 * 0.1 * 2.0
    second = 0.5 * first - 0.5 * 0.1 * (2.0 + first)
    np.testing.assert_allclose(after.weight, 2.0 + first + second, rtol=1e-12)
    assert (after.visible_bias, after.hidden_bias) == (100.0, 100.0)


def test_draws_depend_on_seed_phase_and_step_alone() -> None:
    def drawn(seed: int, phase: int, step: int) -> bytes:
        return StepDraws(seed, Purpose.PRETRAIN, phase, step).uniform((5, 3)).tobytes()

    keys = list(itertools.product((0, 1, 2**40), (0, 1), (0, 1, 2**32)))
    assert len({drawn(*key) for key in keys}) == len(keys)
    assert drawn(*keys[3]) == drawn(*keys[3])


def test_draws_have_their_distributions() -> None:
    u, z = draws(0).uniform((301, 333)), draws(1).normal((300, 333))
    assert 0.0 < u.min() < 1e-4
    assert 1.0 - 1e-4 < u.max() < 1.0
    assert u.mean() == pytest.approx(0.5, abs=0.005)
    assert (z.mean(), z.std()) == (pytest.approx(0.0, abs=0.01), pytest.approx(1.0, abs=0.01))
    assert bernoulli(np.full((1000, 100), 0.3), draws(2)).mean() == pytest.approx(0.3, abs=0.01)


# -- through a run ----------------------------------------------------------------

SPEC = """
name: belief
data: {type: digits, validation: 100, test: 1400}
layers:
  - flatten
  - {type: dense, name: one, units: 12, activation: sigmoid}
  - {type: dropout, rate: 0.1}
  - {type: dense, name: two, units: 8, activation: sigmoid}
  - {type: dense, units: 10, activation: softmax}
pretraining: {layers: [one, two], epochs: 3}
cost: log_likelihood
optimizer: {type: sgd, learning_rate: 0.1, momentum: 0.9}
schedule: {epochs: 2, batch_size: 50}
backend: numpy
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def spec(*overrides: str) -> Loaded:
    return load_text(SPEC, "spec.yaml", overrides)


def run(out: str, *overrides: str, **options: Any) -> RunFolder:
    follow(session.train(spec(*overrides), out=Path(out), **options), [RunSink()])
    return RunFolder(Path(out))


def tensors(folder: RunFolder) -> dict[str, Any]:
    return dict(checkpoints.load(folder.checkpoint("last")).tensors)


def test_the_layers_start_from_the_machines() -> None:
    still = run("still", "optimizer={type: sgd, learning_rate: 1e-30}")
    (machines, starts), after = pretraining.load(still), tensors(still)
    assert starts.shape == (256, 12)
    assert [m.weight.shape for m in machines] == [(64, 12), (12, 8)]
    for layer, machine in zip(("one", "two"), machines):
        np.testing.assert_array_equal(after[f"{layer}.weight"], machine.weight)
        np.testing.assert_array_equal(after[f"{layer}.bias"], machine.hidden_bias)
    plain = run("plain", "optimizer={type: sgd, learning_rate: 1e-30}", "pretraining=null")
    np.testing.assert_array_equal(after["dense1.weight"], tensors(plain)["dense1.weight"])
    assert not plain.pretraining.exists()


def test_a_frozen_layer_stays_the_machine() -> None:
    """Another layer reads its features, and fine-tuning moves that one alone."""
    folder = run("run", "layers.1.frozen=true", "pretraining.layers=[one]")
    (machine,), after = pretraining.load(folder)[0], tensors(folder)
    np.testing.assert_array_equal(after["one.weight"], machine.weight)
    np.testing.assert_array_equal(after["one.bias"], machine.hidden_bias)
    assert not any("optimizer" in name and "one." in name for name in after)
    before = run("still", "layers.1.frozen=true", "optimizer={type: sgd, learning_rate: 1e-30}")
    assert not np.array_equal(after["two.weight"], tensors(before)["two.weight"])


@pytest.mark.compile
@pytest.mark.parametrize(("spec_file", "reached"), [("rbm", 0.91), ("rbm-gaussian", 0.9)])
def test_features_of_one_machine_are_enough_for_a_readout(spec_file: str, reached: float) -> None:
    *_, finished = session.train(load_spec(SPECS / f"{spec_file}.yaml"), out=Path("run"))
    assert isinstance(finished, Finished)
    assert finished.summary["test"]["test_accuracy"] > reached


def test_the_reconstruction_error_is_kept_and_falls() -> None:
    asked = spec("pretraining.epochs=8", "layers.1.units=60", "data.test=400")
    events = list(session.train(asked, out=Path("run")))
    said = [event for event in events if isinstance(event, Pretrained)]
    rows = [json.loads(line) for line in RunFolder(Path("run")).pretraining.read_text().splitlines()]
    assert [(r["layer"], r["epoch"]) for r in rows] == [(n, e) for n in ("one", "two") for e in range(1, 9)]
    assert [r["reconstruction_error"] for r in rows] == [event.reconstruction_error for event in said]
    assert rows[7]["reconstruction_error"] < 0.9 * rows[0]["reconstruction_error"]


@pytest.mark.parametrize("options", [(), ("pretraining.persistent=true", "pretraining.k=2")], ids=["cd", "pcd"])
def test_equal_seeds_give_equal_runs(options: tuple[str, ...]) -> None:
    first, again, other = run("a", *options), run("b", *options), run("c", "seed=1", "data.seed=0", *options)
    assert first.checkpoint("pretraining").read_bytes() == again.checkpoint("pretraining").read_bytes()
    assert first.checkpoint("last").read_bytes() == again.checkpoint("last").read_bytes()
    assert not np.array_equal(pretraining.load(first)[0][0].weight, pretraining.load(other)[0][0].weight)


@pytest.mark.parametrize("drop", ["boundaries: [1]", "per: step, boundaries: [15]"])
def test_the_learning_rate_follows_its_schedule_in_each_layer_anew(drop: str) -> None:
    """At rate 0 nothing is learned: three epochs, of which two are at 0, end like one."""
    still = ("pretraining.momentum=0", f"pretraining.schedule={{type: piecewise, {drop}, values: [1, 0]}}")
    short, long = run("short", *still[:1], "pretraining.epochs=1"), run("long", *still)
    for one, other in zip(pretraining.load(short)[0], pretraining.load(long)[0]):
        np.testing.assert_array_equal(one.weight, other.weight)
        np.testing.assert_array_equal(one.visible_bias, other.visible_bias)


def test_resuming_after_pretraining_is_exact() -> None:
    whole = run("whole")
    run("part", "schedule.epochs=1")
    before = RunFolder(Path("part")).pretraining.read_bytes()
    part = run("part", "schedule.epochs=2", resume=True)
    assert whole.checkpoint("last").read_bytes() == part.checkpoint("last").read_bytes()
    assert part.pretraining.read_bytes() == before


def test_unlabelled_examples_are_those_that_the_subset_leaves_out() -> None:
    few = ("data.subset=40", "pretraining.unlabelled=true", "schedule.epochs=1")
    labelled, more, all_of_them = run("a", few[0], few[2]), run("b", *few), run("c", few[2])
    first, second, third = (pretraining.load(folder)[0] for folder in (labelled, more, all_of_them))
    np.testing.assert_array_equal(second[0].weight, third[0].weight)
    assert not np.array_equal(second[0].weight, first[0].weight)
    with pytest.raises(SpecError, match="the data has no 'subset'"):
        run("d", "pretraining.unlabelled=true")


def test_a_run_stopped_in_pretraining_begins_it_anew() -> None:
    stop = StopRequest()
    events = session.train(spec(), out=Path("cut"), stop=stop)
    assert any(isinstance(event, Pretrained) and event.layer == "two" for event in events)
    stop.request(15)
    with pytest.raises(Interrupted, match="stopped while 'two' was pretrained; --resume begins pretraining anew"):
        next(events)
    assert not RunFolder(Path("cut")).checkpoint("last").exists()
    cut, whole = run("cut", resume=True), run("whole")
    assert cut.checkpoint("last").read_bytes() == whole.checkpoint("last").read_bytes()
    assert len(cut.pretraining.read_text().splitlines()) == 6


def test_gaussian_inputs_through_a_run() -> None:
    standardized = ("data.transforms=[standardize]", "pretraining.visible=gaussian", "pretraining.learning_rate=0.01")
    folder = run("gaussian", *standardized)
    assert [machine.gaussian for machine in pretraining.load(folder)[0]] == [True, False]
    samples = sample(open_run(folder.path), 4, steps=5)
    assert np.isfinite(samples).all()
    stored = as_stored(open_run(folder.path), samples)
    assert (picture(open_run(folder.path), samples)[:8, :8, 0] == np.round(stored[0, ..., 0].clip(0, 255))).all()
    with pytest.raises(DivergedError, match=r"the pretraining of 'one' diverged in epoch \d+\n.*lower pretraining"):
        run("diverged", *standardized[:2], "pretraining.learning_rate=50")


def test_samples_look_like_the_inputs() -> None:
    folder = run("run", "pretraining.epochs=15", "layers.1.units=40")
    opened = open_run(folder.path)
    samples = sample(opened, 200, steps=50)
    assert samples.shape == (200, 8, 8, 1)
    assert (samples >= 0).all()
    assert (samples <= 1).all()
    np.testing.assert_array_equal(samples, sample(opened, 200, steps=50))
    assert not np.array_equal(samples, sample(opened, 200, steps=50, seed=9))
    data = load_dataset(opened.loaded.spec.data, Path(), 0)
    stored = as_stored(opened, samples)
    assert np.corrcoef(stored.mean(axis=0).ravel(), data.train.inputs.mean(axis=0).ravel())[0, 1] > 0.9
    with pytest.raises(UsageError, match="only nets with pretraining draw samples"):
        sample(open_run(run("plain", "pretraining=null").path), 3)


def test_samples_go_to_a_file_or_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(run("run").path)

    def draw(*out: str) -> int:
        return main(["predict", folder, "--sample", "5", "--gibbs-steps", "3", *out])

    assert draw("--out", "new.npy") == 0
    assert draw("--out", "new.png") == 0
    assert not capsys.readouterr().out
    assert draw() == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    np.testing.assert_allclose(np.load("new.npy"), [line["values"] for line in lines], rtol=1e-6)
    assert read_image(Path("new.png"), PictureOptions(grayscale=True)).shape == (2 * 9 - 1, 3 * 9 - 1, 1)
    assert draw("--out", "new.gif") == 2
    assert "as an array, .npy, or as a picture, .png" in capsys.readouterr().err
    for name in ("folder.npy", "folder.png"):
        Path(name).mkdir()
        assert draw("--out", name) == 2
        assert f"--out {name}: is a folder, and a file is expected" in capsys.readouterr().err


def test_the_picture_of_samples() -> None:
    samples = np.zeros((5, 2, 3, 1))
    samples[4] = 1.0
    picture = grid(samples, (0.0, 1.0))
    assert picture.shape == (2 * 3 - 1, 3 * 4 - 1, 1)
    assert (picture[3:5, 4:7] == 255).all()
    assert picture.sum() == 6 * 255
    assert grid(np.arange(4.0).reshape(1, 2, 2), (0.0, 3.0)).ravel().tolist() == [0, 85, 170, 255]
    with pytest.raises(UsageError, match=r"samples of shape \(3,\) are no pictures"):
        grid(np.zeros((2, 3)), (0.0, 1.0))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("pretraining.layers=[ones]", "there is no layer 'ones' to pretrain"),
        ("pretraining.layers=[two, one]", "'one' does not come after 'two'"),
        ("pretraining.layers=[two]", "'one' stands between the inputs and 'two'"),
        ("pretraining.layers=[one, two, dense1]", "'dense1' is softmax; hidden units of a"),
        ("pretraining.layers=[one, dropout1]", "'dropout1' is of type dropout"),
        ("pretraining.schedule=plateau", "'plateau' answers to a metric, and pretraining measures none"),
        ("layers.1.bias=false", "'one' has no bias"),
        ("layers.1.inputs=[input]", "'one' does not read 'flatten1' alone"),
        ("from={run: elsewhere, layers: [two]}", "'two' starts from another run"),
    ],
)  # fmt: skip
def test_what_cannot_be_pretrained(override: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        spec(override)


def test_inputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SpecError, match=r"bernoulli units are probabilities, and the inputs go from -\d"):
        run("a", "data.transforms=[standardize]")
    with pytest.raises(SpecError, match="'one' reads 8 of the 64 features before it"):
        run("b", "layers.0={type: reshape, shape: [8, 8]}", "layers.2=flatten")
