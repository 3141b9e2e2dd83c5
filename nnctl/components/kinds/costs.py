"""Costs of examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from nnctl.components.builder import Builder
from nnctl.components.kinds.formulas import Array, Namespace
from nnctl.components.registry import Component


class Cost(Component):
    """C of one example; the objective is its mean over the batch, plus the penalties.

    The weights of examples, and labels that are left out, are no affair of a cost's: they enter the mean.

    `targets`: what it compares with: "labels" (class indices) or "values"
    (numbers, or one-hot rows made from labels).
    `outputs`: names of the output activations it makes sense with, empty for
    any; `wrong_outputs` maps an activation to the sentence that corrects it.
    """

    kind: ClassVar[str] = "cost"
    in_steps: ClassVar[bool] = True
    targets: ClassVar[str] = "values"
    outputs: ClassVar[tuple[str, ...]] = ()
    wrong_outputs: ClassVar[Mapping[str, str]] = {}
    least_squares: ClassVar[bool] = False
    """True of a multiple of the squared distance between output and target, whose minimum a linear system gives."""
    decides: ClassVar[bool] = False
    """True where a target that is a value is a yes or a no."""
    threshold: ClassVar[float] = 0.5
    """Above it a unit that answers yes or no says yes; accuracy asks."""

    @property
    def measures_amounts(self) -> bool:
        """True where targets are any numbers, and no classes or answers yes and no."""
        return self.targets == "values" and not self.decides

    def build(self, builder: Builder, output: Any, target: Any) -> tuple[Any, Any | None]:
        """(cost of each example (batch,), weight of each example (batch,) or None for 1).

        The cost holds the weight already: the batch's mean is Σ cost / Σ weight. With labels a step it may be
        of each step, (batch, time), and is to be where `builder.label_axes` is 2.
        """
        raise NotImplementedError

    def of_even_guess(self, classes: int, units: int) -> float | None:
        """The cost of the same answer for each of so many classes; None where that is no measure of a fresh net.

        units: of the output; 1 may stand for two classes.
        """
        return None


class ElementwiseCost(Cost):
    """A cost that is a sum (or mean) over the output units of a formula."""

    mean: ClassVar[bool] = False
    """True: the mean over a row's elements; False: their sum."""

    def build(self, builder: Builder, output: Any, target: Any) -> tuple[Any, Any | None]:
        terms = builder.elementwise(self, output, target)
        axes = tuple(range(builder.label_axes, len(terms.shape)))
        return builder.apply("mean" if self.mean else "sum", terms, axes=axes), None

    def body(self, xp: Namespace, a: Array, y: Array) -> Array:
        """The cost of one unit with activation a and target y."""
        raise NotImplementedError

    def derivative(self, xp: Namespace, a: Array, y: Array) -> Array:
        """∂body/∂a."""
        raise NotImplementedError

    paired_activation: ClassVar[str] = ""
    """The activation f with which the cost has a stable form of z, a = f(z): the compiler uses the two below."""

    def paired_body(self, xp: Namespace, z: Array, y: Array) -> Array:
        """body(f(z), y), without overflow."""
        raise NotImplementedError

    def paired_derivative(self, xp: Namespace, z: Array, y: Array) -> Array:
        """∂paired_body/∂z."""
        raise NotImplementedError
