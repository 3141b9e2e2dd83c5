"""First-order update rules, w ← w − Δ(g).

Where PyTorch and Keras write a rule differently, `convention` chooses. The
forms are those of `torch.optim` and `keras.optimizers`; each class cites the
paper it comes from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Self

from nnctl.components.base import Array, Clipping, Namespace, Optimizer
from nnctl.components.fields import Convention, Fraction, NonNegativeFloat, PositiveFloat
from nnctl.components.registry import Problem, register
from nnctl.late import dataclass

_VELOCITY = "v ← μv + ∇C, w ← w − ηv; by Keras and the book v ← μv − η∇C, w ← w + v"
_EPSILON = "keeps the denominator from 0; by convention if absent"


@dataclass(frozen=True, kw_only=True)
class FirstOrder(Optimizer):
    """Base of every first-order rule: a rate, weight decay, clipping, a convention.

    Default learning rates are the same in every convention: PyTorch's, but 0.01
    for the plain and the momentum rules, where its 0.001 hardly moves a net.
    """

    learning_rate: Annotated[PositiveFloat, "η, the size of a step"] = 0.01
    weight_decay: Annotated[NonNegativeFloat, "λ, of biases too; unlike a regularizer's, not divided by n"] = 0.0
    clip: Annotated[Clipping | None, "a bound on the gradients before the step"] = None
    convention: Annotated[Convention | None, "whose form of the rule; the spec's if absent"] = None

    def update(
        self, xp: Namespace, w: Array, g: Array, t: Array, scheduled: dict[str, Array], *state: Array
    ) -> tuple[Array, ...]:
        if not self.weight_decay:
            delta, *kept = self.rule(xp, g, t, scheduled, *state)
        elif self.decoupled():
            delta, *kept = self.rule(xp, g, t, scheduled, *state)
            delta = delta + scheduled["learning_rate"] * self.weight_decay * w
        else:
            delta, *kept = self.rule(xp, g + self.weight_decay * w, t, scheduled, *state)
        return w - delta, *kept

    def rule(self, xp: Namespace, g: Array, t: Array, scheduled: dict[str, Array], *state: Array) -> tuple[Array, ...]:
        """(Δ, the new state…) for the gradient g at step t, counted from 1."""
        raise NotImplementedError

    def decoupled(self) -> bool:
        """True where weight decay shrinks the weight itself (Keras), False where it joins the gradient (PyTorch)."""
        return str(self.settled("convention")) == "keras"

    @property
    def clipping(self) -> Clipping | None:
        return self.clip

    def for_bias(self) -> Self:
        # The book decays weights alone.
        return replace(self, weight_decay=0.0) if self.settled("convention") == "book" else self


def _doubts_of_decay(name: str, share: float) -> list[str]:
    """A sentence on a decay that may be meant as the share of the new."""
    if share >= 0.5:
        return []
    return [
        f"{name}: {share:g} is the share of the old in a running mean of squares; "
        f"the share of the new is written {1.0 - share:.4g}"
    ]


def _momentum(
    optimizer: FirstOrder,
    g: Array,
    scheduled: Mapping[str, Array],
    velocity: Array,
    *,
    nesterov: bool,
) -> tuple[Array, Array]:
    """(Δ, new velocity). PyTorch's velocity is a sum of gradients; Keras's and the book's holds the rates too.

    The two part company once the learning rate changes in mid-run.
    """
    rate, mu = scheduled["learning_rate"], scheduled["momentum"]
    if optimizer.settled("convention") == "torch":
        velocity = mu * velocity + g
        return rate * (g + mu * velocity if nesterov else velocity), velocity
    velocity = mu * velocity - rate * g
    return (rate * g - mu * velocity if nesterov else -velocity), velocity


@register("optimizer", "sgd")
class Sgd(FirstOrder):
    """Gradient descent, with momentum where `momentum` is above 0."""

    formula = f"w ← w − η·∇C; with momentum {_VELOCITY}"
    example = "{type: sgd, learning_rate: 0.1}"
    scheduled = ("learning_rate", "momentum")

    momentum: Annotated[Fraction, "μ, the share of the velocity that a step keeps"] = 0.0
    dampening: Annotated[Fraction, "takes this share off every gradient after the first"] = 0.0
    nesterov: Annotated[bool, "look ahead along the velocity"] = False

    def state(self) -> tuple[tuple[str, float], ...]:
        return (("velocity", 0.0),) if self.momentum else ()

    def rule(self, xp: Namespace, g: Array, t: Array, scheduled: dict[str, Array], *state: Array) -> tuple[Array, ...]:
        if not state:
            return (scheduled["learning_rate"] * g,)
        if self.dampening:
            # torch.optim.SGD starts its buffer with the undamped gradient.
            g = xp.where(xp.equal(t, 1.0), g, (1.0 - self.dampening) * g)
        return _momentum(self, g, scheduled, state[0], nesterov=self.nesterov)

    def problems(self) -> Sequence[Problem]:
        problems: list[Problem] = []
        if self.nesterov and not self.momentum:
            problems.append(Problem("nesterov", "nesterov needs momentum", "set momentum, for example to 0.9"))
        if self.nesterov and self.dampening:
            problems.append(Problem("dampening", "nesterov is not defined with dampening", "remove one of the two"))
        if self.dampening and not self.momentum:
            problems.append(Problem("dampening", "dampening acts on momentum, and momentum is 0", "set momentum too"))
        return problems


@register("optimizer", "momentum")
class Momentum(FirstOrder):
    """Gradient descent with a velocity (Polyak 1964)."""

    formula = _VELOCITY
    example = "{type: momentum, learning_rate: 0.05, momentum: 0.9}"
    scheduled = ("learning_rate", "momentum")

    momentum: Annotated[Fraction, "μ, the share of the velocity that a step keeps"] = 0.9

    def state(self) -> tuple[tuple[str, float], ...]:
        return (("velocity", 0.0),)

    def rule(self, xp: Namespace, g: Array, t: Array, scheduled: dict[str, Array], *state: Array) -> tuple[Array, ...]:
        return _momentum(self, g, scheduled, state[0], nesterov=False)


@register("optimizer", "nesterov")
class Nesterov(Momentum):
    """Momentum that looks ahead (Nesterov 1983, in the form of Sutskever et al. 2013)."""

    formula = "v ← μv + ∇C, w ← w − η(∇C + μv); by Keras and the book v ← μv − η∇C, w ← w + μv − η∇C"
    example = "{type: nesterov, learning_rate: 0.05, momentum: 0.9}"

    def rule(self, xp: Namespace, g: Array, t: Array, scheduled: dict[str, Array], *state: Array) -> tuple[Array, ...]:
        return _momentum(self, g, scheduled, state[0], nesterov=True)


@register("optimizer", "adagrad")
class Adagrad(FirstOrder):
    """Steps shrink by the root of all squared gradients so far (Duchi, Hazan & Singer 2011)."""

    formula = "s ← s + g², w ← w − η·g/(√s + ε); by Keras √(s + ε) in place of √s + ε"
    example = "{type: adagrad, learning_rate: 0.01}"
    by_convention: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "initial_accumulator": {"torch": 0.0, "keras": 0.1},
        "epsilon": {"torch": 1e-10, "keras": 1e-7},
    }

    learning_rate_decay: Annotated[NonNegativeFloat, "η falls as 1/(1 + (t − 1)·decay)"] = 0.0
    initial_accumulator: Annotated[NonNegativeFloat | None, "first s; by convention if absent"] = None
    epsilon: Annotated[PositiveFloat | None, _EPSILON] = None

    def state(self) -> tuple[tuple[str, float], ...]:
        return (("accumulator", self.settled("initial_accumulator")),)

    def rule(self, xp: Namespace, g: Array, t: Array, scheduled: dict[str, Array], *state: Array) -> tuple[Array, ...]:
        rate, epsilon = scheduled["learning_rate"], self.settled("epsilon")
        if self.learning_rate_decay:
            rate = rate / (1.0 + (t - 1.0) * self.learning_rate_decay)
        s = state[0] + g * g
        keras = self.settled("convention") == "keras"
        return rate * g / (xp.sqrt(s + epsilon) if keras else xp.sqrt(s) + epsilon), s


@register("optimizer", "rmsprop")
class RmsProp(FirstOrder):
    """Steps shrink by a running root mean square of the gradient (Tieleman & Hinton 2012)."""

    formula = "s ← ρs + (1−ρ)g², w ← w − η·g/(√s + ε); by Keras √(s + ε) in place of √s + ε"
    example = "{type: rmsprop, learning_rate: 0.001, rho: 0.9}"
    scheduled = ("learning_rate", "momentum")
    by_convention: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "rho": {"torch": 0.99, "keras": 0.9},
        "epsilon": {"torch": 1e-8, "keras": 1e-7},
    }

    rho: Annotated[Fraction | None, "decay of the running mean, PyTorch's alpha; by convention if absent"] = None
    epsilon: Annotated[PositiveFloat | None, _EPSILON] = None
    centered: Annotated[bool, "divide by the standard deviation: subtract the squared mean gradient"] = False
    momentum: Annotated[Fraction, "μ, the share of the velocity that a step keeps"] = 0.0

    def state(self) -> tuple[tuple[str, float], ...]:
        names = ["square", *(["mean"] if self.centered else []), *(["velocity"] if self.momentum else [])]
        return tuple((name, 0.0) for name in names)

    def rule(self, xp: Namespace, g: Array, t: Array, scheduled: dict[str, Array], *state: Array) -> tuple[Array, ...]:
        rate, rho, epsilon = scheduled["learning_rate"], self.settled("rho"), self.settled("epsilon")
        keras = self.settled("convention") == "keras"
        s = rho * state[0] + (1.0 - rho) * (g * g)
        kept = [s]
        variance = s
        if self.centered:
            mean = rho * state[1] + (1.0 - rho) * g
            kept.append(mean)
            # Rounding can leave the difference just below 0.
            variance = xp.maximum(s - mean * mean, 0.0)
        scaled = g / (xp.sqrt(variance + epsilon) if keras else xp.sqrt(variance) + epsilon)
        if not self.momentum:
            return rate * scaled, *kept
        # PyTorch's velocity leaves the rate out, Keras's has it in.
        increment = rate * scaled if keras else scaled
        velocity = scheduled["momentum"] * state[-1] + increment
        return (velocity if keras else rate * velocity), *kept, velocity

    @property
    def doubts(self) -> Sequence[str]:
        return _doubts_of_decay("rho", self.settled("rho"))


@register("optimizer", "adam")
class Adam(FirstOrder):
    """Running mean over running root mean square, both unbiased (Kingma & Ba 2015).

    By Keras's convention ε stands beside the biased root: w ← w − η·√(1−β₂ᵗ)/(1−β₁ᵗ)·m/(√v + ε).
    """

    formula = "m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², w ← w − η·m̂/(√v̂ + ε), m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ)"
    example = "{type: adam, learning_rate: 0.001}"
    scheduled = ("learning_rate", "beta1")
    inertia = "beta1"
    by_convention: ClassVar[Mapping[str, Mapping[str, Any]]] = {"epsilon": {"torch": 1e-8, "keras": 1e-7}}

    learning_rate: Annotated[PositiveFloat, "η, the size of a step"] = 0.001
    beta1: Annotated[Fraction, "decay of the mean of the gradient"] = 0.9
    beta2: Annotated[Fraction, "decay of the mean of its square"] = 0.999
    epsilon: Annotated[PositiveFloat | None, _EPSILON] = None

    def state(self) -> tuple[tuple[str, float], ...]:
        return (("mean", 0.0), ("square", 0.0))

    def rule(self, xp: Namespace, g: Array, t: Array, scheduled: dict[str, Array], *state: Array) -> tuple[Array, ...]:
        rate, beta1, epsilon = scheduled["learning_rate"], scheduled["beta1"], self.settled("epsilon")
        m = beta1 * state[0] + (1.0 - beta1) * g
        v = self.beta2 * state[1] + (1.0 - self.beta2) * (g * g)
        # Where β₁ moves it is the present one's power, as in PyTorch.
        first = -xp.expm1(t * xp.log(beta1)) if self.beta1 else 1.0
        second = _one_minus_power(xp, self.beta2, t)
        if self.settled("convention") == "keras":
            # The ε̂ of the paper's section 2.
            return rate * xp.sqrt(second) / first * m / (xp.sqrt(v) + epsilon), m, v
        return rate * (m / first) / (xp.sqrt(v / second) + epsilon), m, v

    @property
    def doubts(self) -> Sequence[str]:
        return _doubts_of_decay("beta2", self.beta2)


def _one_minus_power(xp: Namespace, beta: float, t: Array) -> Array:
    """1 − βᵗ, through expm1: the plain difference loses four digits in float32 at t = 1, β = 0.999."""
    return -xp.expm1(t * math.log(beta)) if beta else 1.0


@register("optimizer", "adamw")
class AdamW(Adam):
    """Adam with weight decay apart from the gradient (Loshchilov & Hutter 2019)."""

    formula = "w ← w − η·λ·w − η·m̂/(√v̂ + ε), m and v as in Adam"
    example = "{type: adamw, learning_rate: 0.001, weight_decay: 0.01}"

    weight_decay: Annotated[NonNegativeFloat, "λ, of biases too; unlike a regularizer's, not divided by n"] = 0.01

    def decoupled(self) -> bool:
        return True


@register("optimizer", "adadelta")
class Adadelta(FirstOrder):
    """Steps in the units of the weights themselves (Zeiler 2012)."""

    formula = "s ← ρs + (1−ρ)g², Δ = √(d + ε)/√(s + ε)·g, d ← ρd + (1−ρ)Δ², w ← w − η·Δ"
    example = "{type: adadelta, rho: 0.95}"
    by_convention: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "rho": {"torch": 0.9, "keras": 0.95},
        "epsilon": {"torch": 1e-6, "keras": 1e-7},
    }

    learning_rate: Annotated[PositiveFloat, "η, the size of a step"] = 1.0
    rho: Annotated[Fraction | None, "decay of both running means; by convention if absent"] = None
    epsilon: Annotated[PositiveFloat | None, _EPSILON] = None

    def state(self) -> tuple[tuple[str, float], ...]:
        return (("square", 0.0), ("delta", 0.0))

    def rule(self, xp: Namespace, g: Array, t: Array, scheduled: dict[str, Array], *state: Array) -> tuple[Array, ...]:
        rho, epsilon = self.settled("rho"), self.settled("epsilon")
        s = rho * state[0] + (1.0 - rho) * (g * g)
        change = xp.sqrt(state[1] + epsilon) / xp.sqrt(s + epsilon) * g
        d = rho * state[1] + (1.0 - rho) * (change * change)
        return scheduled["learning_rate"] * change, s, d

    @property
    def doubts(self) -> Sequence[str]:
        return _doubts_of_decay("rho", self.settled("rho"))
