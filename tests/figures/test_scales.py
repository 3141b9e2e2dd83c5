"""Scales: marks are easily read, within the scale, and few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nnctl.figures.scales import Scale, number, scale_over


@pytest.mark.parametrize(
    ("scale", "marks"),
    [
        (Scale(0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (Scale(-3, 47), [0, 10, 20, 30, 40]),
        (Scale(1e-3, 10, log=True), [1e-3, 1e-2, 0.1, 1, 10]),
        (Scale(2, 3, log=True), [2, 2.2, 2.4, 2.6, 2.8, 3]),
    ],
)
def test_marks(scale: Scale, marks: list[float]) -> None:
    np.testing.assert_allclose(scale.ticks(), marks)


@example([5e-324], True)
@example([0.0, 5e-324], False)
@given(st.lists(st.floats(-1e9, 1e9) | st.floats(allow_nan=False), min_size=1, max_size=9), st.booleans())
def test_marks_of_any_numbers(values: list[float], log: bool) -> None:
    scale = scale_over(np.array(values), log=log)
    assert scale.low < scale.high
    assert len(scale.ticks()) <= 7
    for mark in scale.ticks():
        assert -1e-6 <= float(scale.place(np.array([mark]))[0]) <= 1 + 1e-6


@pytest.mark.parametrize(
    ("value", "text"), [(0.1, "0.1"), (12345.6, "1.235e4"), (1e-7, "1e-7"), (3, "3"), (float("inf"), "inf")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text
