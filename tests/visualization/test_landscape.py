"""Landscapes, saliency and augmented examples against what they are of, computed otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnctl.data.dataset import load_dataset
from nnctl.errors import UsageError
from nnctl.figures.figure import BarList, Gallery, HeatMap
from nnctl.spec.load import load_text
from nnctl.training.splits import training_windows
from nnctl.visualization.augmented import augmented, changed
from nnctl.visualization.filters import by_unit
from nnctl.visualization.landscape import direction, landscape
from nnctl.visualization.saliency import saliency, slopes
from tests.visualization.trained import DENSE_DIGITS, DIGITS, MOONS, ONE_UNIT, SEQUENCES, VALUES, trained

TRANSPOSED = """
data: {type: digits, subset: 40}
layers:
  - {type: conv2d, filters: 4, kernel: 3, activation: relu}
  - {type: conv_transpose2d, filters: 2, kernel: 3, groups: 2}
  - {type: conv2d, filters: 3, kernel: 3, frozen: true}
  - flatten
  - {type: dense, units: 10, activation: softmax}
cost: log_likelihood
schedule: {epochs: 1}
"""

TEXT = """
data: {type: copy_memory, examples: 30, copied: 3, delay: 2}
layers:
  - {type: embedding, units: 3}
  - {type: gru, units: 4, return_sequence: true}
  - {type: dense, units: 9, activation: softmax}
cost: log_likelihood
schedule: {epochs: 1}
"""
SERIES = """
data: {type: adding, examples: 30, length: 6}
layers: [{type: gru, units: 4}, {type: dense, units: 1}]
cost: mse
schedule: {epochs: 1}
"""


def test_the_middle_of_a_landscape_is_the_runs_cost_and_the_run_stays_as_it_is(tmp_path: Path) -> None:
    run, data = trained(MOONS, tmp_path / "run")
    before = run.engine.state()
    figure = landscape(run, data, resolution=5)
    assert figure.values[2, 2] == run.engine.evaluate("train")["cost"]
    after = run.engine.state()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert len(np.unique(figure.values)) > 20
    assert np.array_equal(landscape(run, data, resolution=5).values, figure.values)
    assert not np.array_equal(landscape(run, data, resolution=5, seed=1).values, figure.values)
    assert f"{len(data.train)} train examples" in figure.title
    assert "10 of 20 test examples" in landscape(run, data, "test", resolution=3, most=10).title
    for resolution in (1, 4):
        with pytest.raises(UsageError, match="an odd number"):
            landscape(run, data, resolution=resolution)


def test_a_landscape_tells_how_long_it_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, data = trained(MOONS, tmp_path / "run")
    capsys.readouterr()
    landscape(run, data, resolution=3)
    assert capsys.readouterr() == ("", "measuring the cost: 9 places\n")


def test_a_corner_of_a_landscape_is_the_cost_of_weights_moved_along_both_directions(tmp_path: Path) -> None:
    run, data = trained(MOONS, tmp_path / "run")
    parameters = run.engine.network.structure.parameters
    weights = run.engine.read(parameters)
    one, other = (direction(parameters, weights, 0, which) for which in (0, 1))
    figure = landscape(run, data, resolution=3, reach=0.5)
    # The first row is at the top: β is largest there, α on the right.
    moved = {n: (w + 0.5 * one[n] + 0.5 * other[n]).astype(np.float32) for n, w in weights.items()}
    run.engine.assign(moved)
    assert figure.values[0, 2] == pytest.approx(run.engine.evaluate("train")["cost"], rel=1e-6)


def test_each_filter_of_a_direction_is_as_long_as_that_of_the_weights(tmp_path: Path) -> None:
    for number, text in enumerate((TRANSPOSED, MOONS, SEQUENCES)):
        run, _ = trained(text, tmp_path / str(number))
        parameters = run.engine.network.structure.parameters
        weights = run.engine.read(parameters)
        drawn = direction(parameters, weights, 3, 0)
        assert {p.kind for p in parameters.values()} == {"weight", "bias"}
        for name, parameter in parameters.items():
            if parameter.kind != "weight" or parameter.frozen:
                assert not drawn[name].any()
                continue
            own, random = (by_unit(parameter, each.astype(np.float64)) for each in (weights[name], drawn[name]))
            axes = tuple(range(own.ndim - 1))
            assert np.allclose(np.sqrt((own**2).sum(axis=axes)), np.sqrt((random**2).sum(axis=axes)))
            assert not np.allclose(own, random)


@pytest.mark.parametrize("text", [DIGITS, MOONS, ONE_UNIT, SEQUENCES, VALUES])
def test_slopes_are_the_quotients_of_small_differences(text: str, tmp_path: Path) -> None:
    run, data = trained(text, tmp_path / "run")
    inputs = np.asarray(data.train.inputs[:3], np.float64)
    found = slopes(run, inputs, 0)
    assert found.values.shape[1:] == inputs.shape[1:]
    scale = run.rescaled(inputs + 1.0) - run.rescaled(inputs)
    rng = np.random.default_rng(0)
    for _ in range(4):
        place = tuple(rng.integers(n) for n in inputs.shape[1:])
        step = 1e-5
        scores = []
        for sign in (1, -1):
            moved = inputs.copy()
            moved[(slice(None), *place)] += sign * step
            scores.append(slopes(run, moved, 0).scores[:, 0])
        quotient = (scores[0] - scores[1]) / (2 * step)
        expected = found.values[(slice(None), *place)] * scale[(slice(None), *place)]
        assert np.allclose(quotient, expected, rtol=1e-4, atol=1e-8)


def test_the_score_is_what_the_last_activation_is_given(tmp_path: Path) -> None:
    run, data = trained(DIGITS, tmp_path / "run")
    inputs = np.asarray(data.train.inputs[:5])
    found = slopes(run, inputs)
    powers = np.exp(found.scores)
    answers = run.engine.outputs(inputs)
    assert np.allclose(powers / powers.sum(axis=1, keepdims=True), answers, atol=1e-5)
    assert np.array_equal(found.units, answers.argmax(axis=1))


def test_saliency_stands_beside_pictures_and_as_bars_over_inputs(tmp_path: Path) -> None:
    run, data = trained(DIGITS, tmp_path / "digits")
    (gallery,) = saliency(run, data, "train", 2, 3, "7")
    assert isinstance(gallery, Gallery)
    assert [picture.pixels.shape for picture in gallery.pictures] == [(8, 8), (8, 8, 3)] * 3
    assert gallery.pictures[1].caption == "what moves class 7"
    with pytest.raises(UsageError, match="it has classes"):
        saliency(run, data, of="seven")
    run, data = trained(ONE_UNIT, tmp_path / "one")
    (bars,) = saliency(run, data)
    assert isinstance(bars, BarList)
    assert bars.names == ("x0", "x1")
    with pytest.raises(UsageError, match="--count 3: says nothing to examples that are no images"):
        saliency(run, data, count=3)
    assert np.allclose(bars.values, np.abs(slopes(run, data.splits["test"].inputs[:1]).values[0]))
    for of in ("0", "1"):
        assert np.array_equal(saliency(run, data, of=of)[0].values, bars.values)  # type: ignore[union-attr]
    run, data = trained(TEXT, tmp_path / "text")
    (bars,) = saliency(run, data)
    assert isinstance(bars, BarList)
    assert len(bars.names) == data.train.inputs.shape[1] == 8
    assert bars.names[0].startswith("0 ")
    run, data = trained(SERIES, tmp_path / "series")
    (steps,) = saliency(run, data)
    assert isinstance(steps, HeatMap)
    assert steps.values.shape == (2, 6)


@pytest.mark.parametrize("mixing", [False, True])
def test_augmented_examples_are_those_that_training_reads(mixing: bool) -> None:
    loaded = load_text(DENSE_DIGITS, "s.yaml", ["data.augment.0=mixup"] if mixing else [])
    data = load_dataset(loaded.spec.data, loaded.folder, loaded.spec.seed)
    windows = training_windows(loaded.spec, data)
    rows = np.array([4, 0, 17])
    for epoch in (0, 1):
        read, targets, _ = windows.window(epoch, 0)
        places = [int(np.flatnonzero(windows.order.of(epoch) == row)[0]) for row in rows]
        made, labels = changed(windows, rows, epoch)
        assert np.array_equal(made, read[places])
        assert np.array_equal(labels, targets[places])
    (gallery,) = augmented(loaded.spec, data)
    assert isinstance(gallery, Gallery)
    assert (len(gallery.pictures), gallery.columns) == (100, 10)
    made, _ = changed(windows, np.arange(10), 2)
    assert np.allclose(gallery.pictures[3 + 10 * 6].pixels, made[6, :, :, 0] * data.unit)


def test_copies_of_an_expanded_training_set_stand_behind_their_original() -> None:
    overrides = ["data.augment=[]", "data.expand=[{type: shift, pixels: 1}]"]
    loaded = load_text(DENSE_DIGITS, "s.yaml", overrides)
    data = load_dataset(loaded.spec.data, loaded.folder, loaded.spec.seed)
    (gallery,) = augmented(loaded.spec, data, examples=2, copies=3)
    assert isinstance(gallery, Gallery)
    original, copy = gallery.pictures[4].pixels, gallery.pictures[5].pixels
    moved = [np.roll(original, way, axis) for axis in (0, 1) for way in (-1, 1)]
    assert sum(np.allclose(each[1:-1, 1:-1], copy[1:-1, 1:-1]) for each in moved) == 1
    nothing = load_text(DENSE_DIGITS, "s.yaml", ["data.augment=[]"])
    with pytest.raises(UsageError, match="the spec augments no example"):
        augmented(nothing.spec, load_dataset(nothing.spec.data, nothing.folder, 0))
