"""Restricted Boltzmann machines, and learning them by contrastive divergence.

A machine with visible units v, hidden units h ∈ {0, 1} and energy

    E(v, h) = −vᵀWh − bᵀv − cᵀh            bernoulli: v ∈ {0, 1}
    E(v, h) = ½‖v − b‖² − vᵀWh − cᵀh       gaussian: v real, of variance 1

has p(v, h) ∝ exp(−E), so that p(h = 1 | v) = σ(vW + c), and E[v | h] = σ(hWᵀ + b), without
the σ where v is gaussian. The gradient of log p(v) is ⟨v hᵀ⟩_data − ⟨v hᵀ⟩_model; the second
mean is taken over chains after k steps of Gibbs sampling: begun at the data for CD-k
(Hinton 2002), where the last update ended for PCD (Tieleman 2008). What is sampled and what
stays a probability is as in Hinton, "A practical guide to training RBMs" (2010), section 3,
but that visible units are sampled too: the chain is then the model's own.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.streams import Purpose, bit_generator
from nnctl.late import dataclass


class StepDraws:
    """The random numbers of one step: a stream of (seed, purpose, phase, step), whatever was drawn before.

    phase: below 2⁸; step: below 2⁴⁰.
    """

    def __init__(self, seed: int, purpose: Purpose, phase: int, step: int) -> None:
        self._words = bit_generator(seed, purpose, phase << 40 | step)

    def uniform(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """On (0, 1), multiples of 2⁻²⁴ that float32 holds exactly."""
        count = math.prod(shape)
        words = np.asarray(self._words.random_raw((count + 1) // 2), np.uint64)
        # Two of 23 bits from each word of 64.
        halves = np.stack([words >> np.uint64(41), (words >> np.uint64(9)) & np.uint64(0x7FFFFF)], axis=1)
        drawn = (halves.reshape(-1)[:count].astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-23)
        return np.asarray(drawn.reshape(shape), np.float32)

    def normal(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Standard normals, by Box and Muller's transform."""
        radius, angle = self.uniform((2, *shape))
        drawn = np.sqrt(-2.0 * np.log(radius)) * np.cos(np.float32(2.0 * np.pi) * angle)
        return np.asarray(drawn, np.float32)


@dataclass(frozen=True)
class Machine:
    """weight (visible, hidden), visible_bias (visible,), hidden_bias (hidden,); one floating type."""

    weight: NDArray[Any]
    visible_bias: NDArray[Any]
    hidden_bias: NDArray[Any]
    gaussian: bool = False

    def hidden(self, v: NDArray[Any]) -> NDArray[Any]:
        """p(h = 1 | v), (n, hidden), for v (n, visible)."""
        return _sigmoid(v @ self.weight + self.hidden_bias)

    def visible(self, h: NDArray[Any]) -> NDArray[Any]:
        """E[v | h], (n, visible), for h (n, hidden)."""
        z = h @ self.weight.T + self.visible_bias
        return np.asarray(z) if self.gaussian else _sigmoid(z)

    def draw_visible(self, mean: NDArray[Any], draws: StepDraws) -> NDArray[Any]:
        """v from p(v | h), where `mean` is E[v | h]."""
        return mean + draws.normal(mean.shape) if self.gaussian else bernoulli(mean, draws)

    def gibbs(self, v: NDArray[Any], steps: int, draws: StepDraws) -> NDArray[Any]:
        """v after so many rounds of h from p(h | v), then v from p(v | h)."""
        for _ in range(steps):
            v = self.draw_visible(self.visible(bernoulli(self.hidden(v), draws)), draws)
        return v

    def free_energy(self, v: NDArray[Any]) -> NDArray[Any]:
        """F(v) with p(v) ∝ exp(−F(v)), (n,): the hidden units summed out."""
        of_visible = -0.5 * np.sum((v - self.visible_bias) ** 2, axis=1) if self.gaussian else v @ self.visible_bias
        return np.asarray(-of_visible - np.sum(np.logaddexp(0.0, v @ self.weight + self.hidden_bias), axis=1))

    def moments(self, v: NDArray[Any]) -> Machine:
        """⟨v hᵀ⟩, ⟨v⟩ and ⟨h⟩ over v (n, visible), h being probabilities: −∂E/∂θ for each parameter θ.

        For gaussian units ⟨v⟩ is without its −b, which cancels in a difference of moments.
        """
        h = self.hidden(v)
        return Machine(v.T @ h / len(v), v.mean(axis=0), h.mean(axis=0), self.gaussian)


def bernoulli(probability: NDArray[Any], draws: StepDraws) -> NDArray[Any]:
    """1 with these probabilities, else 0, of their type."""
    return (draws.uniform(probability.shape) < probability).astype(probability.dtype)


def first_machine(mean: NDArray[Any], examples: int, hidden: int, gaussian: bool, draws: StepDraws) -> Machine:
    """A machine that knows nothing but the visible units' mean over so many examples, float32.

    Weights are from N(0, 0.01²), hidden biases 0, and the visible biases such that without
    hidden units each visible one has its mean (Hinton 2010, section 8): log p/(1 − p) for
    bernoulli units, p being taken as if each value had been seen once more.
    """
    weight = np.float32(0.01) * draws.normal((len(mean), hidden))
    if gaussian:
        bias = mean
    else:
        p = (mean * examples + 1.0) / (examples + 2.0)
        bias = np.log(p / (1.0 - p))
    return Machine(weight, bias.astype(np.float32), np.zeros(hidden, np.float32), gaussian)


class Learner:
    """Contrastive divergence, with momentum and weight decay.

    Δθ ← momentum·Δθ + learning_rate·(⟨·⟩_data − ⟨·⟩_model − weight_decay·θ), θ ← θ + Δθ;
    biases do not decay. chains: (m, visible), where persistent chains begin; None for CD.
    learning_rate and momentum may be changed between steps.
    """

    def __init__(
        self,
        machine: Machine,
        *,
        learning_rate: float,
        momentum: float,
        weight_decay: float,
        k: int,
        chains: NDArray[Any] | None = None,
    ) -> None:
        self.machine = machine
        self.learning_rate, self.momentum = learning_rate, momentum
        self._weight_decay, self._k = weight_decay, k
        self._chains = chains
        self._weight = np.zeros_like(machine.weight)
        self._visible_bias = np.zeros_like(machine.visible_bias)
        self._hidden_bias = np.zeros_like(machine.hidden_bias)

    def step(self, v: NDArray[Any], draws: StepDraws) -> float:
        """Learn from a batch (n, visible).

        Returns the reconstruction error: the sum over the batch of ‖v − E[v | h]‖²/visible,
        h drawn from p(h | v).
        """
        machine = self.machine
        reconstruction = machine.visible(bernoulli(machine.hidden(v), draws))
        error: float = np.sum((v - reconstruction) ** 2, dtype=np.float64).item() / v.shape[1]
        if self._chains is None:
            of_model = machine.gibbs(machine.draw_visible(reconstruction, draws), self._k - 1, draws)
        else:
            of_model = self._chains = machine.gibbs(self._chains, self._k, draws)
        data, model = machine.moments(v), machine.moments(of_model)
        rate, momentum = self.learning_rate, self.momentum
        gradient = data.weight - model.weight - self._weight_decay * machine.weight
        self._weight = momentum * self._weight + rate * gradient
        self._visible_bias = momentum * self._visible_bias + rate * (data.visible_bias - model.visible_bias)
        self._hidden_bias = momentum * self._hidden_bias + rate * (data.hidden_bias - model.hidden_bias)
        self.machine = Machine(
            machine.weight + self._weight,
            machine.visible_bias + self._visible_bias,
            machine.hidden_bias + self._hidden_bias,
            machine.gaussian,
        )
        return error


def _sigmoid(z: NDArray[Any]) -> NDArray[Any]:
    # Here and not above: a net at work needs no SciPy, whose import takes longer than its answers.
    from scipy.special import expit

    return np.asarray(expit(z))
