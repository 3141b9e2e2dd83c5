"""Pictures and heat maps made small enough for a page."""

from __future__ import annotations

import numpy as np
import pytest

from nnctl.figures.figure import Axis, Gallery, HeatMap, Picture
from nnctl.report.fitting import fitted


def test_what_is_small_stays_as_it_is() -> None:
    figures = [Gallery("g", (Picture(np.zeros((9, 9))),)), HeatMap("h", Axis(), Axis(), np.zeros((9, 9)))]
    assert fitted(figures, 200) == figures


def test_pictures_are_means_of_blocks() -> None:
    picture = np.kron(np.array([[0.0, 1.0], [0.5, 0.25]]), np.ones((20, 20)))
    (gallery,) = fitted([Gallery("g", (Picture(picture, "a"), Picture(picture, "b")))], 2 * 20 * 20)
    assert isinstance(gallery, Gallery)
    assert gallery.pictures[0].pixels.shape == (20, 20)
    assert gallery.pictures[1].pixels[0, 19] == 1.0
    assert gallery.pictures[1].caption == "b"


@pytest.mark.parametrize("shape", [(512, 512), (3, 9_000), (2_000, 40)])
def test_a_heat_map_has_some_of_its_rows_and_columns_by_their_names(shape: tuple[int, int]) -> None:
    values = np.arange(float(np.prod(shape))).reshape(shape)
    (found,) = fitted([HeatMap("h", Axis("step"), Axis("unit"), values)], 10_000)
    assert isinstance(found, HeatMap)
    rows, columns = found.values.shape
    assert 5_000 <= rows * columns <= 10_000
    row, column = rows // 2, columns // 2
    assert found.values[row, column] == values[int(found.y.categories[row]), int(found.x.categories[column])]
    assert found.values[-1, -1] == values[-1, -1]
    assert found.title == "h, some of them"
