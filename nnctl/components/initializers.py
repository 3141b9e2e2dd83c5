"""First values of parameters. fan_in and fan_out are the numbers of connections into and out of a unit.

Keras draws its `*_normal` from a normal cut off at two standard deviations
and widened so that the standard deviation stays; PyTorch does not cut.
`truncated` follows the convention unless it is set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from nnctl.components.base import Initializer
from nnctl.components.fields import Convention, Fraction, PositiveFloat
from nnctl.components.registry import Problem, register

GAINS: Mapping[str, float] = {
    "linear": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "selu": 0.75,
}
"""Gain that an activation's name stands for (`torch.nn.init.calculate_gain`)."""

Gain: TypeAlias = PositiveFloat | Literal["linear", "sigmoid", "tanh", "relu", "selu"]

_TRUNCATED = "cut off at two standard deviations; by convention if absent"
_WHOSE_TAILS = "whose tails; the spec's if absent"
_TRUNCATION: Mapping[str, Mapping[str, Any]] = {"truncated": {"torch": False, "keras": True}}
# The standard deviation of a standard normal cut off at ±2.
_CUT_DEVIATION = 0.87962566103423978


def gain_of(gain: float | str) -> float:
    """The number that a gain means, given as one or as an activation's name."""
    return GAINS[gain] if isinstance(gain, str) else gain


def default_initializer(convention: str, kind: str) -> Initializer:
    """Initializer of a parameter of `kind` "weight" or "bias" where the spec says nothing.

    torch: both U(±1/√fan_in). keras: Glorot's uniform weights, zero biases.
    book: weights N(0, 1/fan_in), biases N(0, 1).
    """
    chosen: Initializer
    if convention == "keras":
        chosen = GlorotUniform() if kind == "weight" else Zeros()
    elif convention == "book":
        chosen = ScaledNormal() if kind == "weight" else Normal()
    else:
        chosen = ScaledUniform()
    return chosen.for_convention(convention)


def _normal(rng: Any, shape: tuple[int, ...], std: float, truncated: bool) -> Any:
    if not truncated:
        return rng.normal(0.0, std, shape)
    return _cut_normal(rng, shape, -2.0, 2.0) * (std / _CUT_DEVIATION)


def _cut_normal(rng: Any, shape: tuple[int, ...], lower: float, upper: float) -> Any:
    """Standard normals between two bounds, by inverting the distribution function."""
    from scipy.special import ndtr, ndtri

    # ndtri is exact in the lower tail only: an interval above 0 is drawn mirrored.
    if lower > 0.0:
        return -_cut_normal(rng, shape, -upper, -lower)
    return ndtri(rng.uniform(ndtr(lower), ndtr(upper), shape)).clip(lower, upper)


@register("initializer", "zeros")
class Zeros(Initializer):
    """All 0: right for biases; weights that start equal stay equal."""

    formula = "w = 0"

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        return _filled(shape, 0.0)


@register("initializer", "constant")
class ConstantValue(Initializer):
    """One value everywhere."""

    formula = "w = value"
    example = "{type: constant, value: 0.1}"

    value: Annotated[float, "the value"]

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        return _filled(shape, self.value)


@register("initializer", "reservoir")
class Reservoir(Initializer):
    """A sparse random matrix of a given spectral radius, for recurrent weights that are not trained (Jaeger 2001)."""

    formula = "w ~ U(±1), a share `sparsity` of them 0, times spectral_radius/max|eigenvalue|"
    example = "{type: reservoir, spectral_radius: 0.9, sparsity: 0.8}"

    spectral_radius: Annotated[PositiveFloat, "the largest |eigenvalue|"] = 0.9
    sparsity: Annotated[Fraction, "the share of weights that are 0"] = 0.9

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        from numpy import abs as absolute
        from numpy.linalg import eigvals

        rows, columns = math.prod(shape[:-1]), shape[-1]
        size = max(rows, columns)
        w = rng.uniform(-1.0, 1.0, (size, size)) * (rng.uniform(size=(size, size)) >= self.sparsity)
        radius = float(absolute(eigvals(w)).max())
        # A matrix so sparse that no path leads back has only the eigenvalue 0, and nothing to scale.
        return (w * (self.spectral_radius / radius if radius > 1e-12 else 1.0))[:rows, :columns].reshape(shape)


@register("initializer", "evenly_spaced")
class EvenlySpaced(Initializer):
    """A row of numbers from `first` to `last`, in the order of the units: biases that place a step for each unit."""

    formula = "w_j = first + (last − first)·j/(n − 1)"
    example = "{type: evenly_spaced, first: -1.0, last: 1.0}"

    first: Annotated[float, "of the first unit"] = -1.0
    last: Annotated[float, "of the last unit"] = 1.0

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        from numpy import linspace

        return linspace(self.first, self.last, math.prod(shape)).reshape(shape)


def _filled(shape: tuple[int, ...], value: float) -> Any:
    from numpy import float64, full

    return full(shape, value, dtype=float64)


@register("initializer", "normal")
class Normal(Initializer):
    """A normal whose width does not depend on the layer: large weights, saturated units."""

    formula = "w ~ N(mean, std²)"
    example = "{type: normal, std: 0.05}"

    mean: Annotated[float, "centre"] = 0.0
    std: Annotated[PositiveFloat, "standard deviation"] = 1.0

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        return rng.normal(self.mean, self.std, shape)


@register("initializer", "uniform")
class Uniform(Initializer):
    """Evenly between two bounds."""

    formula = "w ~ U(low, high)"
    example = "{type: uniform, low: -0.1, high: 0.1}"

    low: Annotated[float, "least value"] = -0.05
    high: Annotated[float, "largest value"] = 0.05

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        return rng.uniform(self.low, self.high, shape)

    def problems(self) -> Sequence[Problem]:
        return _bounds_problems("low", self.low, "high", self.high)


@register("initializer", "truncated_normal")
class TruncatedNormal(Initializer):
    """A normal without its tails.

    Bounds are values, as PyTorch's are; absent, they are −2 and 2 by its
    convention and two standard deviations about the mean by Keras's.
    """

    formula = "w ~ N(mean, std²) between lower and upper"
    example = "{type: truncated_normal, std: 0.05}"

    mean: Annotated[float, "centre, before the cut"] = 0.0
    std: Annotated[PositiveFloat, "standard deviation, before the cut"] = 1.0
    lower: Annotated[float | None, "least value; by convention if absent"] = None
    upper: Annotated[float | None, "largest value; by convention if absent"] = None
    convention: Annotated[Convention | None, "whose bounds; the spec's if absent"] = None

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        lower, upper = self._bounds()
        standard = _cut_normal(rng, shape, (lower - self.mean) / self.std, (upper - self.mean) / self.std)
        return self.mean + self.std * standard

    def _bounds(self) -> tuple[float, float]:
        keras = self.settled("convention") == "keras"
        lower, upper = (self.mean - 2.0 * self.std, self.mean + 2.0 * self.std) if keras else (-2.0, 2.0)
        return (lower if self.lower is None else self.lower), (upper if self.upper is None else self.upper)

    def problems(self) -> Sequence[Problem]:
        if self.lower is None or self.upper is None:
            return ()
        return _bounds_problems("lower", self.lower, "upper", self.upper)


def _bounds_problems(low_name: str, low: float, high_name: str, high: float) -> Sequence[Problem]:
    if low < high:
        return ()
    return [Problem(high_name, f"{high_name} must be above {low_name}, found {high:g} and {low:g}")]


@register("initializer", "scaled_normal")
class ScaledNormal(Initializer):
    """A normal that keeps weighted inputs near size 1, so that units do not start saturated."""

    formula = "w ~ N(0, gain²/fan_in)"
    example = "{type: scaled_normal, gain: 1.0}"

    gain: Annotated[Gain, "a factor, or the activation it is meant for"] = 1.0

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        return rng.normal(0.0, gain_of(self.gain) / math.sqrt(fan_in), shape)


@register("initializer", "scaled_uniform")
class ScaledUniform(Initializer):
    """PyTorch's choice for the weights and biases of dense and convolutional layers."""

    formula = "w ~ U(±gain/√fan_in)"
    example = "{type: scaled_uniform, gain: 1.0}"

    gain: Annotated[Gain, "a factor, or the activation it is meant for"] = 1.0

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        bound = gain_of(self.gain) / math.sqrt(fan_in)
        return rng.uniform(-bound, bound, shape)


@register("initializer", "lecun_normal")
class LecunNormal(Initializer):
    """Keeps the variance of a linear layer's outputs (LeCun et al. 1998)."""

    formula = "w ~ N(0, 1/fan_in)"
    by_convention = _TRUNCATION

    truncated: Annotated[bool | None, _TRUNCATED] = None
    convention: Annotated[Convention | None, _WHOSE_TAILS] = None

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        return _normal(rng, shape, math.sqrt(1.0 / fan_in), self.settled("truncated"))


@register("initializer", "lecun_uniform")
class LecunUniform(Initializer):
    """Keeps the variance of a linear layer's outputs (LeCun et al. 1998)."""

    formula = "w ~ U(±√(3/fan_in))"

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        bound = math.sqrt(3.0 / fan_in)
        return rng.uniform(-bound, bound, shape)


@register("initializer", "glorot_normal")
class GlorotNormal(Initializer):
    """Between what keeps activations and what keeps gradients (Glorot & Bengio 2010), also called Xavier's."""

    formula = "w ~ N(0, gain²·2/(fan_in + fan_out))"
    example = "{type: glorot_normal, gain: 1.0}"
    by_convention = _TRUNCATION

    gain: Annotated[Gain, "a factor, or the activation it is meant for"] = 1.0
    truncated: Annotated[bool | None, _TRUNCATED] = None
    convention: Annotated[Convention | None, _WHOSE_TAILS] = None

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        std = gain_of(self.gain) * math.sqrt(2.0 / (fan_in + fan_out))
        return _normal(rng, shape, std, self.settled("truncated"))


@register("initializer", "glorot_uniform")
class GlorotUniform(Initializer):
    """Between what keeps activations and what keeps gradients (Glorot & Bengio 2010), also called Xavier's."""

    formula = "w ~ U(±gain·√(6/(fan_in + fan_out)))"
    example = "{type: glorot_uniform, gain: 1.0}"

    gain: Annotated[Gain, "a factor, or the activation it is meant for"] = 1.0

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        bound = gain_of(self.gain) * math.sqrt(6.0 / (fan_in + fan_out))
        return rng.uniform(-bound, bound, shape)


class _He(Initializer):
    """Base of the two of He et al. 2015: the gain of a leaky relu, and the fan that it is divided by."""

    slope: float
    mode: Literal["fan_in", "fan_out"]

    def deviation(self, fan_in: int, fan_out: int) -> float:
        """Standard deviation that keeps the size of activations (fan_in) or of gradients (fan_out)."""
        return math.sqrt(2.0 / ((1.0 + self.slope**2) * (fan_in if self.mode == "fan_in" else fan_out)))


@register("initializer", "he_normal")
class HeNormal(_He):
    """Keeps the size of activations through relus (He et al. 2015)."""

    formula = "w ~ N(0, 2/((1 + slope²)·fan_in))"
    example = "{type: he_normal, mode: fan_out}"
    by_convention = _TRUNCATION

    slope: Annotated[float, "of a leaky relu below 0; 0 is the relu"] = 0.0
    mode: Annotated[Literal["fan_in", "fan_out"], "keep the size of activations, or of gradients"] = "fan_in"
    truncated: Annotated[bool | None, _TRUNCATED] = None
    convention: Annotated[Convention | None, _WHOSE_TAILS] = None

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        return _normal(rng, shape, self.deviation(fan_in, fan_out), self.settled("truncated"))


@register("initializer", "he_uniform")
class HeUniform(_He):
    """Keeps the size of activations through relus (He et al. 2015)."""

    formula = "w ~ U(±√(6/((1 + slope²)·fan_in)))"
    example = "{type: he_uniform, mode: fan_out}"

    slope: Annotated[float, "of a leaky relu below 0; 0 is the relu"] = 0.0
    mode: Annotated[Literal["fan_in", "fan_out"], "keep the size of activations, or of gradients"] = "fan_in"

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        bound = math.sqrt(3.0) * self.deviation(fan_in, fan_out)
        return rng.uniform(-bound, bound, shape)


@register("initializer", "orthogonal")
class Orthogonal(Initializer):
    """A random rotation: no direction grows or shrinks (Saxe, McClelland & Ganguli 2014).

    All axes but the last count as rows. The signs of R's diagonal make the
    draw uniform among orthogonal matrices (Mezzadri 2007).
    """

    formula = "w = gain·Q·sign(diag R), QR = A ~ N(0, 1)"
    example = "{type: orthogonal, gain: 1.4}"

    gain: Annotated[Gain, "a factor, or the activation it is meant for"] = 1.0

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        from numpy import copysign, diag
        from numpy.linalg import qr

        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * copysign(1.0, diag(r))
        return gain_of(self.gain) * (q if rows >= columns else q.T).reshape(shape)
