from __future__ import annotations

from pathlib import Path

import numpy as np

from nnctl.data.sources.series import MackeyGlass, Narma


def test_narma_is_its_recursion():
    read = Narma(examples=3, length=60, washout=0).read(Path(), 1)
    u, y = read.inputs[:, :, 0].astype(float), read.targets[:, :, 0].astype(float)
    assert 0.0 <= u.min() <= u.max() <= 0.5
    for t in range(20, 59):
        # y[:, t] is what follows step t.
        expected = 0.3 * y[:, t - 1] + 0.05 * y[:, t - 1] * y[:, t - 10 : t].sum(axis=1)
        expected += 1.5 * u[:, t - 9] * u[:, t] + 0.1
        np.testing.assert_allclose(y[:, t], expected, rtol=1e-5)


def test_narma_stays_bounded_and_washes_out():
    whole = Narma(examples=40, length=1200, washout=0).read(Path(), 0)
    assert np.abs(whole.targets).max() <= 1.0
    part = Narma(examples=40, length=1200, washout=100).read(Path(), 0)
    np.testing.assert_array_equal(part.targets, whole.targets[:, 100:])
    np.testing.assert_array_equal(part.inputs, whole.inputs)


def test_narma_of_small_order():
    read = Narma(examples=1, length=30, washout=0, order=1).read(Path(), 0)
    u, y = read.inputs[0, :, 0].astype(float), read.targets[0, :, 0].astype(float)
    np.testing.assert_allclose(y[5], 0.3 * y[4] + 0.05 * y[4] ** 2 + 1.5 * u[5] ** 2 + 0.1, rtol=1e-5)


def test_mackey_glass_looks_ahead():
    read = MackeyGlass(examples=2, length=200, washout=10, ahead=5).read(Path(), 0)
    np.testing.assert_array_equal(read.targets[:, :-5], read.inputs[:, 15:])
    assert read.targets.shape == (2, 190, 1)
    assert not np.array_equal(read.inputs[0], read.inputs[1])


def test_mackey_glass_solves_its_equation():
    """The slope of the series, by differences of order 4 in steps of 1, against the right side with the delay 17."""
    x = MackeyGlass(examples=1, length=600, washout=0).read(Path(), 0).inputs[0, :, 0].astype(float)
    t = np.arange(30, 590)
    slope = (x[t - 2] - 8 * x[t - 1] + 8 * x[t + 1] - x[t + 2]) / 12
    delayed = x[t - 17]
    np.testing.assert_allclose(slope, 0.2 * delayed / (1 + delayed**10) - 0.1 * x[t], atol=2e-3)
    assert 0.2 < x.min() < 0.6
    assert 1.2 < x.max() < 1.5


def test_mackey_glass_of_a_short_delay_settles():
    """Below 4.53 units of delay the point x = 1 is stable."""
    x = MackeyGlass(examples=1, length=300, washout=0, delay=2.0).read(Path(), 0).inputs
    np.testing.assert_allclose(x[0, -50:], 1.0, atol=1e-4)


def test_problems():
    assert [p.field for p in Narma(order=11, washout=1200).problems()] == ["washout", "order"]
    assert MackeyGlass().problems() == []
