"""Generated sequences: right by their definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnctl.data.dataset import load_dataset
from nnctl.data.sources.sequences import Adding, CopyMemory, ParitySequence, SineSequence


def train(source):
    return load_dataset(source, Path(), 0).train


@pytest.mark.parametrize("length", [2, 7, 50])
def test_adding(length):
    split = train(Adding(examples=200, length=length))
    numbers, marks = split.inputs[..., 0], split.inputs[..., 1]
    half = length // 2
    assert (marks[:, :half].sum(1) == 1).all()
    assert (marks[:, half:].sum(1) == 1).all()
    np.testing.assert_allclose((numbers * marks).sum(1), split.targets[:, 0], rtol=1e-6)


def test_guessing_the_mean_of_the_adding_problem_costs_a_sixth():
    assert np.mean((train(Adding(examples=20_000)).targets - 1.0) ** 2) == pytest.approx(1 / 6, abs=0.005)


def test_copy_memory():
    split = train(CopyMemory(examples=50, symbols=4, copied=3, delay=6))
    assert split.inputs.shape == split.targets.shape == (50, 12)
    np.testing.assert_array_equal(split.inputs[:, :3], split.targets[:, -3:])
    assert (split.inputs[:, 3:8] == 0).all()
    assert (split.inputs[:, 8] == 5).all()
    assert (split.targets[:, :9] == 0).all()
    assert set(np.unique(split.inputs[:, :3])) == {1, 2, 3, 4}


def test_sine_sequences_continue():
    split = train(SineSequence(examples=20, length=30))
    np.testing.assert_array_equal(split.inputs[:, 1:], split.targets[:, :-1])
    # A sine of angular step w obeys x(t+1) = 2·cos w·x(t) − x(t−1).
    x = np.concatenate([split.inputs[:, :, 0], split.targets[:, -1:, 0]], axis=1).astype(float)
    step = (x[:, 2:] + x[:, :-2]) / 2.0
    cosine = (step * x[:, 1:-1]).sum(1) / (x[:, 1:-1] ** 2).sum(1)
    np.testing.assert_allclose(step, cosine[:, None] * x[:, 1:-1], atol=1e-5)


@pytest.mark.parametrize("every_step", [False, True])
def test_parity_sequences(every_step):
    split = train(ParitySequence(examples=300, length=8, shortest=3, every_step=every_step))
    bits = split.inputs[..., 0]
    lengths = (bits >= 0).sum(1)
    assert set(np.unique(lengths)) == set(range(3, 9))
    odd = np.cumsum(np.maximum(bits, 0), axis=1) % 2
    np.testing.assert_array_equal(split.targets, odd if every_step else odd[:, -1])
    assert (np.diff((bits < 0).astype(int), axis=1) >= 0).all()


def test_bounds_in_the_wrong_order():
    assert [p.field for p in SineSequence(slowest=0.5).problems()] == ["slowest"]
    assert [p.field for p in ParitySequence(shortest=11).problems()] == ["shortest"]
