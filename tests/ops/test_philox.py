"""The random numbers of the graph: Random123's known answers, ranges, moments, independence."""

from __future__ import annotations

import numpy as np
import pytest

from nnctl.ops import philox

FULL = 0xFFFFFFFF

KNOWN = [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((FULL,) * 4, (FULL,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_known_answers(counter, key, words):
    assert [f"{int(w):08x}" for w in philox.philox(counter, key)] == words.split()


def test_counters_are_vectorized():
    together = philox.philox((np.arange(5), 1, 2, 3), (4, 5))
    for i in range(5):
        single = philox.philox((i, 1, 2, 3), (4, 5))
        assert [int(w[i]) for w in together] == [int(w) for w in single]


SEED = np.array([12345, 67890])


def test_uniforms_are_inside_the_unit_interval_and_exact_in_float32():
    u = philox.uniforms(SEED, 0, 0, 200_001)
    assert len(u) == 200_001
    assert u.min() > 0.0
    assert u.max() < 1.0
    np.testing.assert_array_equal(u.astype(np.float32).astype(np.float64), u)


@pytest.mark.parametrize("word", [0, FULL])
def test_the_extreme_words_stay_inside(monkeypatch, word):
    monkeypatch.setattr(philox, "bits", lambda *_: np.array([word], np.uint64))
    (u,) = philox.uniforms(SEED, 0, 0, 1).astype(np.float32)
    assert 0.0 < u < 1.0


def test_moments():
    count = 200_000
    u, n = philox.uniforms(SEED, 3, 1, count), philox.normals(SEED, 3, 2, count)
    # Five standard errors; the seed is fixed, so this never flickers.
    assert abs(u.mean() - 0.5) < 5 / np.sqrt(12 * count)
    assert abs(u.var() - 1 / 12) < 5 / np.sqrt(180 * count)
    assert abs(n.mean()) < 5 / np.sqrt(count)
    assert abs(n.var() - 1.0) < 5 * np.sqrt(2 / count)
    assert abs(np.mean(n**4) - 3.0) < 5 * np.sqrt(96 / count)
    assert np.all(np.isfinite(n))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 17])
def test_a_prefix_does_not_depend_on_the_length(count):
    np.testing.assert_array_equal(philox.uniforms(SEED, 9, 4, count), philox.uniforms(SEED, 9, 4, 40)[:count])
    np.testing.assert_array_equal(philox.normals(SEED, 9, 4, count), philox.normals(SEED, 9, 4, 40)[:count])


def test_seeds_steps_and_streams_are_independent():
    count = 20_000
    keys = [(SEED, 0, 0), (SEED, 0, 1), (SEED, 1, 0), (SEED, 2**32, 0), (np.add(SEED, [1, 0]), 0, 0)]
    rows = np.array([philox.uniforms(seed, step, stream, count) for seed, step, stream in keys])
    correlation = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(correlation).max() < 5 / np.sqrt(count)
