"""Kinds that a net is made of: layers, and what a layer names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from nnctl.components.builder import Builder
from nnctl.components.fields import NonEmptyStr
from nnctl.components.kinds.formulas import Array, Namespace
from nnctl.components.registry import Component
from nnctl.late import dataclass


class Activation(Component):
    """f in a = f(z). `learns`: False where its slope is 0 everywhere, so that nothing below it learns."""

    kind: ClassVar[str] = "activation"
    in_steps: ClassVar[bool] = True
    learns: ClassVar[bool] = True
    probabilities: ClassVar[bool] = False
    """True where its values are probabilities: each by itself, or all of the last axis together."""

    def build(self, builder: Builder, z: Any) -> Any:
        raise NotImplementedError


class ElementwiseActivation(Activation):
    """An activation given by its formula and its derivative."""

    def build(self, builder: Builder, z: Any) -> Any:
        return builder.elementwise(self, z)

    def body(self, xp: Namespace, z: Array) -> Array:
        """a = f(z)."""
        raise NotImplementedError

    def derivative(self, xp: Namespace, z: Array, a: Array) -> Array:
        """f'(z), from whichever of z and a is cheaper."""
        raise NotImplementedError


class Initializer(Component):
    """First values of a parameter."""

    kind: ClassVar[str] = "initializer"
    of_number: ClassVar[str] = "{type: normal, std: …}"

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        """float64 array of `shape`, from a `numpy.random.Generator`."""
        raise NotImplementedError


class Regularizer(Component):
    """A penalty on weights, or a constraint on them, or both.

    The objective gains 1/n · Σ body(w), n the number of training examples; the
    body holds the strength λ. `project` moves the updated weights back into the allowed set.
    """

    kind: ClassVar[str] = "regularizer"
    in_steps: ClassVar[bool] = True
    of_number: ClassVar[str] = "{type: l2, strength: …}"
    penalizes: ClassVar[bool] = True
    projects: ClassVar[bool] = False

    def body(self, xp: Namespace, w: Array) -> Array:
        """The penalty of one weight, before the division by n."""
        raise NotImplementedError

    def derivative(self, xp: Namespace, w: Array) -> Array:
        """d body/dw."""
        raise NotImplementedError

    def project(self, builder: Builder, w: Any, incoming: tuple[int, ...]) -> Any:
        """The nearest allowed weights. incoming: the axes of w that run over the weights into one unit."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Layer(Component):
    """A part of the net. `inputs` names the layers it reads; None: the one before it."""

    kind: ClassVar[str] = "layer"
    in_steps: ClassVar[bool] = True
    of_number: ClassVar[str] = "{type: dense, units: …}"
    name: Annotated[NonEmptyStr | None, "what other layers, errors and metrics call it"] = None
    inputs: Annotated[tuple[NonEmptyStr, ...] | None, "names of the layers it reads; the one before it if absent"] = (
        None
    )

    frozen: Annotated[bool, "keep its parameters as they are: no gradient, no update"] = False
    transparent: ClassVar[bool] = False
    """True where every value outside of training is an input's, in the same order."""

    @property
    def children(self) -> Mapping[str, tuple[Layer, ...]]:
        """Layers inside it, by the field that names them: each field a chain from input to output."""
        return {}

    @property
    def copies(self) -> int:
        """Number of times that each of the layers inside it is built."""
        return 1

    def shallower(self, copies: int) -> Self:
        """The layer with so many copies of the layers inside it at most; itself where it has no more."""
        return self

    @property
    def output_activation(self) -> Activation | None:
        """The activation whose values it gives as they are; None where there is not one."""
        return None

    @property
    def keeps_state(self) -> bool:
        """True where recurrent state lives on from one batch to the next, so that batches must follow one another."""
        return False

    @property
    def reads_ahead(self) -> bool:
        """True where its output at a step hangs on later steps of the sequence."""
        return False

    @property
    def takes_mask(self) -> bool:
        """True where a second input may say which steps of a sequence there are."""
        return False

    @property
    def linear(self) -> bool:
        """True where its output is x·weight + bias, or x·weight, with parameters of its own and by one `matmul`."""
        return False

    def unfit_for_pretraining(self, name: str) -> tuple[str, str] | None:
        """The reason why it cannot learn as a restricted Boltzmann machine, and the fix; None where it can.

        name: what messages call it. A layer that can has `weight` (visible, hidden) and
        `bias` (hidden,), and gives the hidden units' probabilities.
        """
        return f"'{name}' is of type {self.type}; a Boltzmann machine is a dense layer", "leave it out"

    def build(self, builder: Builder, *inputs: Any) -> Any:
        """The output, from the inputs, each (batch, …)."""
        raise NotImplementedError
