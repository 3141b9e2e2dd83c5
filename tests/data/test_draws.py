"""Random numbers by example: the same whatever examples they come with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnctl.data.streams import Draws, Purpose

GOLDEN_UNIFORM = [0.4004134930884228, 0.47780852816197983, 0.36385856180454346]
GOLDEN_NORMAL = [-0.4830239, -1.2638049, 0.3346828]


def draws(first: int, stop: int, index: int = 3, place: int = 1, seed: int = 5) -> Draws:
    return Draws(seed, Purpose.AUGMENT, index, place, first, stop)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(1, 9))
def test_an_example_draws_the_same_in_any_company(a: int, b: int, c: int, size: int) -> None:
    first, cut, stop = sorted((a, b, c))
    whole, left, right = draws(first, stop), draws(first, cut), draws(cut, stop)
    # A second call goes on to a stream of its own.
    for name in ("uniform", "normal", "uniform"):
        parts = [getattr(part, name)(size) for part in (left, right)]
        np.testing.assert_array_equal(getattr(whole, name)(size), np.concatenate(parts))


def test_seeds_epochs_places_and_calls_have_streams_of_their_own() -> None:
    one = draws(0, 50)
    found = [one.uniform(2), one.uniform(2)]
    found += [draws(0, 50, **other).uniform(2) for other in ({"seed": 6}, {"index": 4}, {"place": 2})]
    found.append(Draws(5, Purpose.EXPAND, 3, 1, 0, 50).uniform(2))
    values = np.concatenate([f.ravel() for f in found])
    assert len(np.unique(values)) == len(values)


def test_the_streams_are_these() -> None:
    """Resumed runs depend on them: change none."""
    np.testing.assert_allclose(draws(0, 1).uniform(3)[0], GOLDEN_UNIFORM, rtol=1e-14)
    np.testing.assert_allclose(draws(0, 1).normal(3)[0], GOLDEN_NORMAL, rtol=1e-5)


def test_moments() -> None:
    u, z = draws(0, 4000).uniform(25), draws(0, 4000).normal(25)
    assert u.min() > 0.0
    assert u.max() < 1.0
    assert u.mean() == pytest.approx(0.5, abs=0.005)
    assert u.var() == pytest.approx(1 / 12, abs=0.002)
    assert z.mean() == pytest.approx(0.0, abs=0.01)
    assert z.var() == pytest.approx(1.0, abs=0.02)
    assert (z**4).mean() == pytest.approx(3.0, abs=0.15)
    # Both of a pair come from one word, and are independent.
    assert np.corrcoef(z[:, 0], z[:, 1])[0, 1] == pytest.approx(0.0, abs=0.05)
    assert z.dtype == np.float32


def test_an_order_is_a_permutation() -> None:
    np.testing.assert_array_equal(np.sort(draws(7, 107).order()), np.arange(100))
