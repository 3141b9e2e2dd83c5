"""Random numbers by example: the same whatever examples they come with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nnctl.data.streams import Draws, Purpose, bit_generator

GOLDEN_UNIFORM = [0.4004134930884228, 0.47780852816197983, 0.36385856180454346]
GOLDEN_NORMAL = [0.2363501, -1.3398347, 0.8250894]


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


@pytest.mark.parametrize("size", [1, 2, 5, 8, 35])
def test_normals_are_those_of_box_and_muller(size: int) -> None:
    """In float64 from the generator's words; radius and angle from 32 bits each, the second as a signed number."""
    half, counters = -(-size // 2), -(-size // 8)
    words = bit_generator(5, Purpose.AUGMENT, 3 << 16 | 1 << 8).random_raw(9 * counters * 4).reshape(9, -1)[2:, :half]
    bits = np.stack([words & np.uint64(0xFFFFFFFF), words >> np.uint64(32)], axis=2).reshape(7, 2 * half)
    radius = np.sqrt(-2.0 * np.log((bits[:, :half] + 0.5) * 2.0**-32))
    angle = bits[:, half:] * (2.0 * np.pi * 2.0**-32)
    expected = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)[:, :size]
    np.testing.assert_allclose(draws(2, 9).normal(size), expected, atol=2e-6)


def test_normals_follow_the_normal_distribution() -> None:
    """By moments up to the sixth, by Kolmogorov and Smirnov, and in the tails."""
    z = np.concatenate([draws(0, 1000, index=k).normal(28, 28).ravel() for k in range(4)]).astype(np.float64)
    deviations = np.sqrt([1.0, 2.0, 96.0, 10170.0]) / np.sqrt(len(z))
    for power, expected, deviation in zip((1, 2, 4, 6), (0.0, 1.0, 3.0, 15.0), deviations):
        assert (z**power).mean() == pytest.approx(expected, abs=4.0 * deviation)
    assert stats.kstest(z, "norm").pvalue > 1e-3
    for far in (3.0, 4.0):
        for side in (z > far, z < -far):
            assert side.sum() == pytest.approx(len(z) * stats.norm.sf(far), rel=0.15)


def test_normals_of_an_example_are_independent() -> None:
    """Those from one word, neighbours, and one place of neighbouring examples; of the squares, too."""
    z = draws(0, 20_000).normal(8).astype(np.float64)
    for values in (z, z * z):
        found = np.corrcoef(np.concatenate([values[:-1], values[1:]], axis=1).T)
        np.testing.assert_allclose(found, np.eye(16), atol=5.0 / np.sqrt(len(z)))


def test_many_normals_are_the_same_a_few_at_a_time() -> None:
    """Vectorized functions do all numbers alike, those that are left over at the end, too."""
    whole = draws(0, 40).normal(7, 33)
    for step in (1, 3, 16):
        parts = [draws(first, min(first + step, 40)).normal(7, 33) for first in range(0, 40, step)]
        np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_an_order_is_a_permutation() -> None:
    np.testing.assert_array_equal(np.sort(draws(7, 107).order()), np.arange(100))
