"""Contours against lines that are known."""

from __future__ import annotations

import numpy as np

from nnctl.figures.contours import contour


def test_a_contour_of_a_slope_is_a_straight_line_between_the_rows() -> None:
    rows = np.tile(np.arange(6.0)[:, None], (1, 5))
    segments = contour(rows, 2.25)
    assert segments.shape == (4, 2, 2)
    assert np.allclose(segments[..., 0], 2.25)
    assert {tuple(sorted(pair)) for pair in segments[..., 1].tolist()} == {(0, 1), (1, 2), (2, 3), (3, 4)}


def test_a_contour_of_a_cone_is_a_circle() -> None:
    y, x = np.mgrid[-20:21, -20:21]
    ends = contour(np.hypot(x, y), 10.3).reshape(-1, 2) - 20
    assert np.allclose(np.hypot(*ends.T), 10.3, atol=0.05)
    # A closed line: every end is the end of two segments.
    _, counts = np.unique(ends.round(9), axis=0, return_counts=True)
    assert set(counts) == {2}


def test_a_saddle_is_passed_on_the_sides_of_its_middle() -> None:
    high = np.array([[1.0, 0.0], [0.0, 1.0]])
    for level, cut_off in ((0.6, {(0.0, 0.0), (1.0, 1.0)}), (0.4, {(0.0, 1.0), (1.0, 0.0)})):
        segments = contour(high, level)
        assert len(segments) == 2
        nearest = {tuple(np.round(segment.mean(axis=0)).tolist()) for segment in segments}
        assert nearest == cut_off


def test_nothing_is_drawn_beside_what_is_no_number() -> None:
    grid = np.tile(np.arange(4.0)[:, None], (1, 4))
    grid[:, 1] = np.nan
    assert len(contour(grid, 1.5)) == 1
    assert len(contour(np.full((3, 3), np.nan), 0.0)) == 0
