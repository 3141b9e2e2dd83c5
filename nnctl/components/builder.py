"""The compiler as components see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from nnctl.components.base import Initializer, Layer, Regularizer

Resuming: TypeAlias = Literal["none", "stateful", "all"]
"""The recurrent layers that resume where the step before ended: those that are stateful, in training and in
evaluation, or all of them, as when text is generated."""
UnitView: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]
"""(shape, incoming): weights seen under a shape in which the axes `incoming` run over the weights into one unit."""


class Builder(Protocol):
    """The part of the graph builder that components may use."""

    @property
    def training(self) -> bool:
        """True in the training step, False in evaluation and prediction."""

    @property
    def frozen(self) -> bool:
        """True where the layer that is built, or one around it, is to stay as it is."""

    @property
    def convention(self) -> str:
        """`torch`, `keras` or `book`, where a rule differs."""

    @property
    def vocabulary(self) -> int | None:
        """Number of different indices of the net's input; None where it is numbers, or that is not known."""

    @property
    def label_axes(self) -> int:
        """The axes that the cost of each label keeps: 1, the batch's, or 2 where steps of sequences count singly."""

    @property
    def counted(self) -> Any | None:
        """1 for each label that counts, 0 for one that is left out, (batch, …) as labels are; None where all count."""

    @property
    def resuming(self) -> Resuming:
        """The recurrent layers that read one piece of their sequences a step, each where the last one ended."""

    def apply(self, op: str, *inputs: Any, **attributes: Any) -> Any:
        """One node of a structured op of the table, e.g. `apply("matmul", x, w)`."""

    def apply_all(self, op: str, *inputs: Any, **attributes: Any) -> tuple[Any, ...]:
        """The same with every output, for an op that has several."""

    def elementwise(self, component: Any, *inputs: Any) -> Any:
        """One node from a component's `body`, broadcasting its inputs."""

    def formula(self, name: str, function: Callable[..., Any], *inputs: Any, settled: Sequence[int] = ()) -> Any:
        """One node from `function(xp, *inputs)`, which obeys the rules of formulas.

        settled: inputs whose gradient is 0 whatever the others are, in all that is made of the result.
        """

    def parameter(
        self,
        name: str,
        shape: Sequence[int],
        *,
        kind: str,
        fans: tuple[int, int],
        initializer: Initializer | None = None,
        regularizer: Regularizer | None = None,
        default: Initializer | None = None,
        units: UnitView | None = None,
    ) -> Any:
        """A trained array, named `<layer>.<name>`.

        kind: "weight" or "bias": which root-level defaults apply where
        `initializer` or `regularizer` is None (biases are not regularized
        unless the layer asks). fans: (fan_in, fan_out). default: in place of the
        convention's initializer, where neither layer nor root names one. units: where
        the last axis is not that of the units.
        """

    def parameter_of(self, layer: str, name: str) -> Any:
        """The parameter `<layer>.<name>` that an earlier layer has. Raises ShapeError where there is none."""

    def state(self, name: str, shape: Sequence[Any], initial: float = 0.0) -> Any:
        """An array named `<layer>.<name>` that lives from step to step and has no gradient; kept in checkpoints."""

    def set_state(self, state: Any, new: Any) -> None:
        """Let `state` be `new` from the next step on; without effect where nothing is trained and nothing resumes."""

    def across_examples(self, positions: int) -> None:
        """Note that the layer takes statistics over a batch, `positions` numbers of each example.

        Of one example with one position there are none, and training by such batches is refused.
        """

    def uniform(self, name: str, shape: Sequence[Any]) -> Any:
        """Counter-based uniforms on (0, 1), new each step: the same on every backend."""

    def normal(self, name: str, shape: Sequence[Any]) -> Any:
        """Counter-based standard normals, new each step."""

    def scope(self, name: str) -> AbstractContextManager[None]:
        """Inside, parameters and states are called `<layer>.<name>.…`: for a layer that has two of each."""

    def build(self, layer: Layer, *inputs: Any) -> Any:
        """Build a nested layer under the current layer's name."""


def among_counted(builder: Builder, terms: Any) -> Any:
    """Terms (batch, …), of labels or of their units, with 0 for those of a label that is left out."""
    if builder.counted is None:
        return terms
    labels = builder.counted.shape
    counted = builder.apply("reshape", builder.counted, shape=(*labels, *(1,) * (len(terms.shape) - len(labels))))
    return builder.formula("counted", _where_counted, terms, counted)


def _where_counted(xp: Any, term: Any, counted: Any) -> Any:
    # No product: what is left out may be anything, and 0 times infinity is no number.
    return xp.where(xp.greater(counted, 0.0), term, 0.0)
