"""Activations: the nonlinearity a = f(z) of a layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from nnctl.components.base import Activation, Array, ElementwiseActivation, Namespace
from nnctl.components.builder import Builder
from nnctl.components.fields import Convention, NonNegativeFloat, PositiveFloat
from nnctl.components.registry import register
from nnctl.errors import ShapeError

# Klambauer et al. 2017, equation 14: the fixed point of mean 0 and variance 1.
_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def _sigmoid(xp: Namespace, z: Array) -> Array:
    # Through tanh: no overflow at either end and no kink, so that the complex step is exact at 0 too.
    return 0.5 * xp.tanh(0.5 * z) + 0.5


def _normal_density(xp: Namespace, z: Array) -> Array:
    return xp.exp(-0.5 * (z * z)) * (1.0 / math.sqrt(2.0 * math.pi))


@register("activation", "step")
class Step(ElementwiseActivation):
    """The perceptron's threshold. Its derivative is 0 everywhere, so nothing below it learns."""

    formula = "a = 1 if z > 0 else 0"
    learns = False

    def body(self, xp: Namespace, z: Array) -> Array:
        return xp.where(xp.greater(z, 0.0), 1.0, 0.0)

    def derivative(self, xp: Namespace, z: Array, a: Array) -> Array:
        return 0.0 * a


@register("activation", "linear")
class Linear(ElementwiseActivation):
    """The weighted input itself."""

    formula = "a = z"

    def build(self, builder: Builder, z: Any) -> Any:
        return z

    def body(self, xp: Namespace, z: Array) -> Array:
        return z

    def derivative(self, xp: Namespace, z: Array, a: Array) -> Array:
        return 0.0 * z + 1.0


@register("activation", "sigmoid")
class Sigmoid(ElementwiseActivation):
    """The logistic function, between 0 and 1."""

    formula = "a = 1/(1 + e^-z)"
    probabilities = True

    def body(self, xp: Namespace, z: Array) -> Array:
        return _sigmoid(xp, z)

    def derivative(self, xp: Namespace, z: Array, a: Array) -> Array:
        return a * (1.0 - a)


@register("activation", "tanh")
class Tanh(ElementwiseActivation):
    """The hyperbolic tangent, between -1 and 1."""

    formula = "a = (e^z − e^-z)/(e^z + e^-z)"

    def body(self, xp: Namespace, z: Array) -> Array:
        return xp.tanh(z)

    def derivative(self, xp: Namespace, z: Array, a: Array) -> Array:
        return 1.0 - a * a


@register("activation", "relu")
class Relu(ElementwiseActivation):
    """The rectified linear unit; derivative 0 at 0."""

    formula = "a = max(0, z)"

    def body(self, xp: Namespace, z: Array) -> Array:
        # 0 comes first: a tie's derivative goes to the first argument.
        return xp.maximum(0.0, z)

    def derivative(self, xp: Namespace, z: Array, a: Array) -> Array:
        return xp.where(xp.greater(z, 0.0), 1.0, 0.0)


@register("activation", "relu6")
class Relu6(ElementwiseActivation):
    """The rectified linear unit, cut off at 6; derivative 0 at 0 and at 6."""

    formula = "a = min(max(0, z), 6)"

    def body(self, xp: Namespace, z: Array) -> Array:
        return xp.minimum(6.0, xp.maximum(0.0, z))

    def derivative(self, xp: Namespace, z: Array, a: Array) -> Array:
        return xp.where(xp.greater(z, 0.0), xp.where(xp.less(z, 6.0), 1.0, 0.0), 0.0)


@register("activation", "leaky_relu")
class LeakyRelu(ElementwiseActivation):
    """A rectified linear unit that lets a little through below 0; derivative `slope` at 0."""

    formula = "a = z if z > 0 else slope·z"
    example = "{type: leaky_relu, slope: 0.1}"
    by_convention: ClassVar[Mapping[str, Mapping[str, Any]]] = {"slope": {"torch": 0.01, "keras": 0.3}}

    slope: Annotated[NonNegativeFloat | None, "below 0; 0.01 by PyTorch's convention, 0.3 by Keras's"] = None
    convention: Annotated[Convention | None, "whose slope; the spec's if absent"] = None

    def body(self, xp: Namespace, z: Array) -> Array:
        return xp.where(xp.greater(z, 0.0), z, self.settled("slope") * z)

    def derivative(self, xp: Namespace, z: Array, a: Array) -> Array:
        return xp.where(xp.greater(z, 0.0), 1.0, self.settled("slope"))


@register("activation", "elu")
class Elu(ElementwiseActivation):
    """The exponential linear unit (Clevert, Unterthiner & Hochreiter 2016)."""

    formula = "a = z if z > 0 else α(e^z − 1)"
    example = "{type: elu, alpha: 0.5}"

    alpha: Annotated[PositiveFloat, "α: how far below 0 it reaches"] = 1.0

    def body(self, xp: Namespace, z: Array) -> Array:
        return _elu(xp, z, self.alpha)

    def derivative(self, xp: Namespace, z: Array, a: Array) -> Array:
        return xp.where(xp.greater(z, 0.0), 1.0, a + self.alpha)


def _elu(xp: Namespace, z: Array, alpha: float) -> Array:
    positive = xp.greater(z, 0.0)
    # Without the inner choice a large z overflows in the branch that is not taken.
    return xp.where(positive, z, alpha * xp.expm1(xp.where(positive, 0.0, z)))


@register("activation", "selu")
class Selu(ElementwiseActivation):
    """The self-normalizing exponential linear unit (Klambauer et al. 2017)."""

    formula = "a = 1.0507·z if z > 0 else 1.0507·1.6733·(e^z − 1)"

    def body(self, xp: Namespace, z: Array) -> Array:
        return _SELU_SCALE * _elu(xp, z, _SELU_ALPHA)

    def derivative(self, xp: Namespace, z: Array, a: Array) -> Array:
        return xp.where(xp.greater(z, 0.0), _SELU_SCALE, a + _SELU_SCALE * _SELU_ALPHA)


@register("activation", "gelu")
class Gelu(ElementwiseActivation):
    """z times the share of a standard normal below z (Hendrycks & Gimpel 2016)."""

    formula = "a = z·Φ(z) = z·½(1 + erf(z/√2)); tanh form: ½z(1 + tanh(√(2/π)(z + 0.044715z³)))"
    example = "{type: gelu, approximate: tanh}"

    approximate: Annotated[Literal["none", "tanh"], "the exact form, or the paper's tanh form"] = "none"

    def body(self, xp: Namespace, z: Array) -> Array:
        if self.approximate == "tanh":
            return 0.5 * z * (1.0 + xp.tanh(self._inner(z)))
        return z * self._share(xp, z)

    def derivative(self, xp: Namespace, z: Array, a: Array) -> Array:
        if self.approximate == "tanh":
            t = xp.tanh(self._inner(z))
            slope = math.sqrt(2.0 / math.pi) * (1.0 + 3.0 * 0.044715 * (z * z))
            return 0.5 * (1.0 + t) + 0.5 * z * (1.0 - t * t) * slope
        return self._share(xp, z) + z * _normal_density(xp, z)

    def _share(self, xp: Namespace, z: Array) -> Array:
        return 0.5 * (1.0 + xp.erf(z * math.sqrt(0.5)))

    def _inner(self, z: Array) -> Array:
        return math.sqrt(2.0 / math.pi) * (z + 0.044715 * (z * z * z))


@register("activation", "silu")
class Silu(ElementwiseActivation):
    """z times its sigmoid, also called swish."""

    formula = "a = z/(1 + e^-z)"

    def body(self, xp: Namespace, z: Array) -> Array:
        return z * _sigmoid(xp, z)

    def derivative(self, xp: Namespace, z: Array, a: Array) -> Array:
        s = _sigmoid(xp, z)
        return s + a * (1.0 - s)


@register("activation", "softplus")
class Softplus(ElementwiseActivation):
    """A smooth relu."""

    formula = "a = ln(1 + e^z)"

    def body(self, xp: Namespace, z: Array) -> Array:
        # z + ln(1 + e^-z) above 0, so that nothing overflows; each side is smooth at 0, as |z| would not be.
        positive = xp.greater(z, 0.0)
        return xp.where(positive, z, 0.0) + xp.log1p(xp.exp(xp.where(positive, -z, z)))

    def derivative(self, xp: Namespace, z: Array, a: Array) -> Array:
        return _sigmoid(xp, z)


@register("activation", "hard_sigmoid")
class HardSigmoid(ElementwiseActivation):
    """A sigmoid of three straight pieces; derivative 0 at the corners."""

    formula = "a = min(1, max(0, slope·z + offset))"
    probabilities = True

    slope: Annotated[PositiveFloat, "between the corners; 0.2 in Keras before version 3, and ONNX's default"] = (
        1.0 / 6.0
    )
    offset: Annotated[float, "a at 0"] = 0.5

    def body(self, xp: Namespace, z: Array) -> Array:
        return xp.minimum(1.0, xp.maximum(0.0, self.slope * z + self.offset))

    def derivative(self, xp: Namespace, z: Array, a: Array) -> Array:
        return xp.where(xp.greater(a, 0.0), xp.where(xp.less(a, 1.0), self.slope, 0.0), 0.0)


@register("activation", "softmax")
class Softmax(Activation):
    """Exponentials over the last axis, scaled to sum to 1; the largest z is subtracted first."""

    formula = "a_j = e^{z_j}/Σ_k e^{z_k}"
    probabilities = True

    def build(self, builder: Builder, z: Any) -> Any:
        if z.shape[-1] == 1:
            raise ShapeError(
                "softmax over one unit is 1, whatever its input",
                "a unit that answers yes or no is a sigmoid; softmax has a unit for each class, on the last axis",
            )
        return builder.apply("softmax", z)
