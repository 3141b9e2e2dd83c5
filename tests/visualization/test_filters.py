"""Filters, feature maps and boundaries show what the net has and answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nnctl.errors import UsageError
from nnctl.figures.figure import Chart, Gallery, HeatMap
from nnctl.figures.palette import shades
from nnctl.figures.svg import svg_of
from nnctl.inference.opened import TrainedRun
from nnctl.visualization.boundary import boundary, two_inputs
from nnctl.visualization.filters import filters, read_shape
from nnctl.visualization.layers import answers
from nnctl.visualization.maps import maps
from nnctl.visualization.pictures import mosaic, photographs, smaller
from tests.visualization.trained import DENSE_DIGITS, DIGITS, MOONS, ONE_UNIT, SEQUENCES, VALUES, trained


def test_kernels_of_every_convolution_are_drawn_on_one_scale(tmp_path: Path) -> None:
    run, _ = trained(DIGITS, tmp_path / "run")
    first, second = filters(run)
    weights = run.engine.read(["conv2d1.weight"])["conv2d1.weight"].astype(np.float64)
    assert [picture.pixels.shape for picture in first.pictures] == [(3, 3, 3)] * 5
    expected = shades(np.moveaxis(weights[:, :, 0], -1, 0), diverging=True)
    assert np.allclose([picture.pixels for picture in first.pictures], expected)
    assert first.title.startswith("conv2d1.weight: 5 filters of 3×3×1")
    assert second.title.startswith("conv2d2.weight: 4 filters of 2×2×5")
    assert len(filters(run, most=2)[0].pictures) == 2
    assert "the first 2 of 5 filters" in filters(run, most=2)[0].title


def test_weights_of_a_first_dense_layer_are_images_of_the_input(tmp_path: Path) -> None:
    run, _ = trained(DENSE_DIGITS, tmp_path / "run")
    (gallery,) = filters(run)
    weights = run.engine.read(["dense1.weight"])["dense1.weight"].astype(np.float64)
    assert "the first 64 of 70 filters of 8×8×1" in gallery.title
    reach = np.abs(weights[:, :64]).max()
    place = np.unravel_index(np.abs(weights[:, :64]).argmax(), weights[:, :64].shape)
    pixel = gallery.pictures[place[1]].pixels.reshape(64, 3)[place[0]]
    assert np.allclose(pixel, shades(np.array([weights[place], reach]), diverging=True)[0])


DENSE = "[{type: dense, units: 5, activation: relu}, {type: dense, units: 2, activation: softmax}]"


def flat(folder: Path, dtype: type, width: int, layers: str = DENSE) -> TrainedRun:
    """A run on flat rows of an .npz file."""
    folder.mkdir()
    inputs = np.random.default_rng(0).integers(0, 255, (40, width)).astype(dtype)
    np.savez(folder / "rows.npz", inputs=inputs, targets=np.arange(40) % 2)
    spec = f"""
data: {{type: npz, path: {json.dumps(str(folder / "rows.npz"))}}}
layers: {layers}
cost: log_likelihood
schedule: {{epochs: 1}}
backend: numpy
"""
    return trained(spec, folder / "run")[0]


def test_weights_over_flat_rows_of_pixels_are_pictures(tmp_path: Path) -> None:
    pixels = flat(tmp_path / "bytes", np.uint8, 36)
    (gallery,) = filters(pixels)
    assert "5 filters of 6×6×1" in gallery.title
    (wide,) = filters(pixels, shape=read_shape("4x9"))
    assert wide.pictures[0].pixels.shape[:2] == (4, 9)
    (coloured,) = filters(pixels, shape=read_shape("3×4×3"))
    assert "of 3×4×3" in coloured.title
    with pytest.raises(UsageError, match=r"a picture of 5×7 has 35 numbers in a flat row, .* shape \(36,\)"):
        filters(pixels, shape=(5, 7))
    measured = flat(tmp_path / "numbers", np.float32, 36)
    with pytest.raises(UsageError, match="--shape 28x28 says what picture they are"):
        filters(measured)
    (gallery,) = filters(measured, shape=(6, 6))
    assert "5 filters of 6×6×1" in gallery.title
    first = "{type: reshape, shape: [6, 6, 1]}, {type: conv2d, filters: 3, kernel: 3}, flatten"
    layers = f"[{first}, {{type: dense, units: 2, activation: softmax}}]"
    convolved = flat(tmp_path / "convolved", np.uint8, 36, layers)
    with pytest.raises(UsageError, match="--shape: says nothing to this net, whose first layer with weights is a conv"):
        filters(convolved, shape=(6, 6))
    for text in ("28", "28x", "0x4", "28x28x2", "axb"):
        with pytest.raises(UsageError, match=f"--shape {text}: expected height and width"):
            read_shape(text)


@pytest.mark.parametrize("text", [MOONS, VALUES, SEQUENCES])
def test_a_net_without_filters_says_so(text: str, tmp_path: Path) -> None:
    run, _ = trained(text, tmp_path / "run")
    with pytest.raises(UsageError, match="no filters to draw"):
        filters(run)


def test_maps_are_the_answers_of_every_layer_and_the_last_is_the_nets(tmp_path: Path) -> None:
    run, data = trained(DIGITS, tmp_path / "run")
    picture, conv, pool, second, dense, last = maps(run, data, "test", 3)
    assert data.test is not None
    inputs = np.asarray(data.test.inputs[3:4])
    assert isinstance(picture, Gallery)
    assert np.allclose(picture.pictures[0].pixels, inputs[0, :, :, 0] * data.unit)
    assert [len(f.pictures) for f in (conv, pool, second) if isinstance(f, Gallery)] == [5, 5, 4]
    assert isinstance(dense, HeatMap)
    assert dense.values.shape == (2, 32)
    assert np.isnan(dense.values[1, 8:]).all()
    assert isinstance(last, Chart)
    assert np.allclose(last.layers[0].y, run.engine.outputs(inputs)[0], atol=1e-6)
    assert last.x.categories == run.classes
    assert [each.path for each in answers(run, inputs)][3] == "flatten1"
    with pytest.raises(UsageError, match="the test split has 10 examples"):
        maps(run, data, "test", 10)


def test_maps_of_a_sequence_are_its_units_over_the_steps(tmp_path: Path) -> None:
    run, data = trained(SEQUENCES, tmp_path / "run")
    _, rows, _, last = maps(run, data)
    assert isinstance(rows, HeatMap)
    assert rows.values.shape == (8, 8)
    assert isinstance(last, Chart)


def test_a_boundary_has_the_nets_answers_and_the_training_examples(tmp_path: Path) -> None:
    run, data = trained(MOONS, tmp_path / "run")
    figure = boundary(run, data, resolution=5)
    across, down = np.linspace(*figure.x_range, 5), np.linspace(*figure.y_range, 5)[::-1]
    inputs = np.array([(x, y) for y in down for x in across], dtype=np.float32)
    assert np.allclose(figure.values.reshape(25, 2), run.engine.outputs(inputs), atol=1e-6)
    assert figure.marks is not None
    assert np.allclose(np.stack([figure.marks.x, figure.marks.y], axis=1), data.train.inputs)
    assert np.array_equal(figure.marks.values, data.train.targets)
    assert svg_of(figure).count("<circle") == len(data.train)


def test_a_net_of_one_unit_has_a_boundary_at_its_threshold(tmp_path: Path) -> None:
    run, data = trained(ONE_UNIT, tmp_path / "run")
    figure = boundary(run, data, ("x1", "x0"), resolution=5)
    assert figure.x.label == "x1"
    assert np.allclose(figure.values.sum(axis=-1), 1.0)


def test_a_boundary_is_of_two_numbers(tmp_path: Path) -> None:
    run, data = trained(VALUES, tmp_path / "values")
    with pytest.raises(UsageError, match="two inputs, and this net reads 1"):
        boundary(run, data)
    run, data = trained(SEQUENCES, tmp_path / "sequences")
    with pytest.raises(UsageError, match="two numbers, and this net reads examples of shape"):
        boundary(run, data)
    run, data = trained(MOONS, tmp_path / "moons")
    with pytest.raises(UsageError, match="no input 'x2'"):
        boundary(run, data, ("x0", "x2"))
    with pytest.raises(UsageError, match="this is one input"):
        boundary(run, data, ("x0", "x0"))


def test_the_two_inputs_of_a_boundary_may_have_commas_in_their_names(tmp_path: Path) -> None:
    rows = "".join(f"{age};{age * 90};{'ab'[age % 2]}\n" for age in range(30))
    (tmp_path / "t.csv").write_text("age;income, net;y\n" + rows, encoding="utf-8")
    run, _ = trained(
        """
data: {type: table, path: FILE, delimiter: ";", target: y}
layers: [{type: dense, units: 2, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 1}
backend: numpy
""".replace("FILE", str(tmp_path / "t.csv")),
        tmp_path / "run",
    )
    for text in ("age,income, net", " age , income, net "):
        assert two_inputs(run, text) == ("age", "income, net")
    assert two_inputs(run, "income, net,age") == ("income, net", "age")
    assert two_inputs(run, None) is None
    for text in ("age", "age,income,net"):
        with pytest.raises(UsageError, match="expected the names of two inputs"):
            two_inputs(run, text)


def test_photographs_of_any_range_come_between_0_and_1() -> None:
    wide = np.linspace(-3.0, 5.0, 2 * 4 * 4 * 3).reshape(2, 4, 4, 3)
    one, other = photographs(wide)
    assert (one.min(), other.max()) == (0.0, 1.0)
    assert one.shape == (4, 4, 3)
    within = np.full((1, 2, 2), 0.25)
    assert np.array_equal(photographs(within)[0], within[0])
    (grey,) = photographs(np.array([[[[0], [8]], [[16], [4]]]], dtype=np.uint8), unit=1 / 16)
    assert np.array_equal(grey, [[0.0, 0.5], [1.0, 0.25]])
    assert smaller(np.arange(300.0 * 200).reshape(300, 200)).shape == (100, 67)
    assert smaller(np.ones((300, 200, 3))).max() == 1.0
    assert mosaic(np.zeros((5, 20, 20))).shape == (41, 62)
