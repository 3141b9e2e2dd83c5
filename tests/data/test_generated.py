"""Generated sets: right by their formulas, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnctl.components.registry import components
from nnctl.data.dataset import load_dataset
from nnctl.data.sources.generated import Blobs, Circles, GeneratedSource, Moons, Parity, Sine, Spirals, Xor

GENERATED = [name for name, cls in components("data").items() if issubclass(cls, GeneratedSource)]


def train(source, seed=0):
    return load_dataset(source, Path(), seed).train


@pytest.mark.parametrize("name", GENERATED)
@pytest.mark.parametrize("examples", [1, 2, 7])
def test_any_number_of_examples(name, examples):
    split = train(components("data")[name](examples=examples))
    assert len(split) == examples
    assert np.isfinite(split.inputs).all()


def test_xor_is_the_truth_table():
    split = train(Xor())
    assert split.inputs.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert split.targets.tolist() == [0, 1, 1, 0]


def test_parity():
    split = train(Parity(bits=3))
    assert split.inputs[6].tolist() == [1, 1, 0]
    assert split.targets.tolist() == [0, 1, 1, 0, 1, 0, 0, 1]


def test_noiseless_curves():
    circles = train(Circles(noise=0.0, factor=0.25))
    assert np.allclose(np.hypot(*circles.inputs.T), np.where(circles.targets == 0, 1, 0.25))
    moons = train(Moons(noise=0.0))
    lower = np.array([1, 0.5]) - moons.inputs
    assert np.allclose(np.hypot(*np.where(moons.targets[:, None] == 0, moons.inputs, lower).T), 1)
    spirals = train(Spirals(noise=0.0, arms=3))
    assert np.hypot(*spirals.inputs.T).max() == pytest.approx(1)
    sine = train(Sine(frequency=2.0))
    assert np.allclose(sine.targets, np.sin(4 * np.pi * sine.inputs), atol=1e-5)


def test_blobs_lie_about_their_centres():
    split = train(Blobs(examples=3000, noise=0.5))
    for label in range(3):
        assert split.inputs[split.targets == label].std(axis=0) == pytest.approx(0.5, abs=0.05)


def test_seeds():
    assert np.array_equal(train(Moons(), 1).inputs, train(Moons(), 1).inputs)
    assert not np.array_equal(train(Moons(), 1).inputs, train(Moons(), 2).inputs)
