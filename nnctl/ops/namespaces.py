"""Namespaces for formulas and reference bodies: `xp` for real and for complex-step arrays.

The complex step evaluates f(x + ih) with h so small that h² vanishes; the
imaginary part over h is then the derivative, without a step size to choose
(Squire & Trapp, SIAM Review 40, 1998). It holds for analytic functions, so
whatever compares or takes a maximum must look at real parts alone.
"""

from __future__ import annotations

from functools import cached_property
from types import ModuleType
from typing import Any, TypeAlias

Array: TypeAlias = Any


class RealNamespace:
    """The functions of an array module (NumPy or CuPy) and of its companion for `erf`."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    def __getattr__(self, name: str) -> Any:
        function = getattr(self.module, name)
        # Found once, then an ordinary attribute: bodies look these up in the innermost loop.
        setattr(self, name, function)
        return function

    @cached_property
    def _special(self) -> Any:
        if self.module.__name__ == "numpy":
            import scipy.special

            return scipy.special
        from importlib import import_module

        return import_module("cupyx.scipy.special")

    def erf(self, x: Array) -> Array:
        return self._special.erf(x)


class ComplexStepNamespace(RealNamespace):
    """The same functions for x + ih: comparisons and kinks see the real part."""

    def greater(self, a: Array, b: Array) -> Array:
        return self.module.greater(self.module.real(a), self.module.real(b))

    def less(self, a: Array, b: Array) -> Array:
        return self.module.less(self.module.real(a), self.module.real(b))

    def equal(self, a: Array, b: Array) -> Array:
        return self.module.equal(self.module.real(a), self.module.real(b))

    def maximum(self, a: Array, b: Array) -> Array:
        return self.module.where(self.less(a, b), b, a)

    def minimum(self, a: Array, b: Array) -> Array:
        return self.module.where(self.greater(a, b), b, a)

    def abs(self, x: Array) -> Array:
        return x * self.sign(x)

    def sign(self, x: Array) -> Array:
        return self.module.sign(self.module.real(x))

    def floor(self, x: Array) -> Array:
        return self.module.floor(self.module.real(x))

    def tan(self, x: Array) -> Array:
        t = self.module.tan(self.module.real(x))
        return t + 1j * (self.module.imag(x) * (1.0 + t * t))

    def arctan(self, x: Array) -> Array:
        real = self.module.real(x)
        return self.module.arctan(real) + 1j * (self.module.imag(x) / (1.0 + real * real))

    def logaddexp(self, a: Array, b: Array) -> Array:
        first, second = self.module.real(a), self.module.real(b)
        y = self.module.logaddexp(first, second)
        slopes = self.module.imag(a) * self.module.exp(first - y) + self.module.imag(b) * self.module.exp(second - y)
        return y + 1j * slopes

    def tanh(self, x: Array) -> Array:
        # NumPy's complex tanh loses the imaginary part where the real part saturates; this form keeps it.
        t = self.module.tanh(self.module.real(x))
        return t + 1j * (self.module.imag(x) * (1.0 - t) * (1.0 + t))

    def log1p(self, x: Array) -> Array:
        real = self.module.real(x)
        return self.module.log1p(real) + 1j * (self.module.imag(x) / (1.0 + real))

    def expm1(self, x: Array) -> Array:
        real = self.module.real(x)
        return self.module.expm1(real) + 1j * (self.module.imag(x) * self.module.exp(real))

    def erf(self, x: Array) -> Array:
        real = self.module.real(x)
        slope = 1.1283791670955126 * self.module.exp(-real * real)
        return self._special.erf(real) + 1j * (self.module.imag(x) * slope)

    def max(self, x: Array, axis: Any = None, keepdims: bool = False) -> Array:
        # Only ever a shift that cancels (softmax), so its derivative is not needed.
        return self.module.max(self.module.real(x), axis=axis, keepdims=keepdims)

    def argmax(self, x: Array, axis: int = -1) -> Array:
        return self.module.argmax(self.module.real(x), axis=axis)


def numpy_namespace(*, complex_step: bool = False) -> RealNamespace:
    """`xp` on NumPy."""
    import numpy

    return ComplexStepNamespace(numpy) if complex_step else RealNamespace(numpy)
