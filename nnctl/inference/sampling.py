"""New examples from a deep belief net: Gibbs chains of the top machine, then down through the generative weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.streams import Purpose
from nnctl.errors import UsageError
from nnctl.graph import interface
from nnctl.inference.opened import TrainedRun
from nnctl.training.pretraining import greedy as pretraining
from nnctl.training.pretraining.boltzmann import Machine, StepDraws, bernoulli

_TOP, _DOWN = 0, 1
"""Phases of the draws: the chains, and the way down."""


def sample(run: TrainedRun, count: int, *, steps: int = 100, seed: int | None = None) -> NDArray[np.float64]:
    """`count` examples (count, *input_shape) as they would enter the net, each the end of a chain of its own.

    Chains begin at training examples, for from noise most end in one mode, and take so many
    Gibbs steps in the top machine; what it shows is sampled down from layer to layer, and
    the inputs are the expected ones. The weights are those of the end of pretraining:
    fine-tuned ones are no longer a model of the inputs.
    seed: the spec's if None. Raises UsageError for a net without pretraining, RunError.
    """
    if run.loaded.spec.pretraining is None:
        raise UsageError(f"{run.folder.path}: only nets with pretraining draw samples: the spec has no 'pretraining'")
    machines, starts = pretraining.load(run.folder)
    seed = run.loaded.spec.seed if seed is None else seed
    return draw(machines, np.resize(starts, (count, starts.shape[1])), steps, seed).reshape(
        count, *run.signature.input_shape
    )


def draw(machines: list[Machine], v: NDArray[Any], steps: int, seed: int) -> NDArray[np.float64]:
    """Expected inputs (n, visible) of the lowest of these machines; the last is the top, where chains begin at v."""
    top = machines[-1]
    mean = v
    for step in range(1, steps + 1):
        draws = StepDraws(seed, Purpose.SAMPLE, _TOP, step)
        mean = top.visible(bernoulli(top.hidden(v), draws))
        v = top.draw_visible(mean, draws)
    for level, machine in enumerate(reversed(machines[:-1])):
        # What the machine above sees are the hidden units of this one.
        mean = machine.visible(v)
        v = machine.draw_visible(mean, StepDraws(seed, Purpose.SAMPLE, _DOWN, level))
    return np.asarray(mean, np.float64)


def as_stored(run: TrainedRun, samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Samples in the units of the data: without the rescaling by which the net reads it."""
    if run.signature.statistics_shape is None:
        return samples
    statistics = run.engine.read(interface.STATISTICS)
    return np.asarray(samples / statistics[interface.SCALE] + statistics[interface.SHIFT], np.float64)


def picture(run: TrainedRun, samples: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Samples as one picture: probabilities, or the units of the data where the inputs are gaussian.

    These go from black to white as the levels of images do, of other data as far as the samples go.
    Raises UsageError where they are no pictures.
    """
    pretraining = run.loaded.spec.pretraining
    if pretraining is None or pretraining.visible == "bernoulli":
        return grid(samples, (0.0, 1.0))
    stored = as_stored(run, samples)
    levels = run.signature.input_dtype == "uint8"
    return grid(stored, (0.0, 255.0) if levels else (float(stored.min()), float(stored.max())))


def grid(samples: NDArray[np.float64], limits: tuple[float, float]) -> NDArray[np.uint8]:
    """Samples (n, height, width[, 1 or 3]) as one picture, in rows of about √n, a black pixel between.

    limits: what is black, and what is white. Raises UsageError where they are no pictures.
    """
    if samples.ndim == 3:
        samples = samples[..., None]
    if samples.ndim != 4 or samples.shape[3] not in (1, 3):
        raise UsageError(f"samples of shape {samples.shape[1:]} are no pictures; write them to a .npy file")
    black, white = limits
    pixels = np.round(np.clip((samples - black) / max(white - black, 1e-12), 0.0, 1.0) * 255.0).astype(np.uint8)
    count, height, width, channels = pixels.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    padded = np.zeros((rows * columns, height + 1, width + 1, channels), np.uint8)
    padded[:count, :height, :width] = pixels
    tiles = padded.reshape(rows, columns, height + 1, width + 1, channels).swapaxes(1, 2)
    whole: NDArray[Any] = tiles.reshape(rows * (height + 1), columns * (width + 1), channels)
    return whole[:-1, :-1]
