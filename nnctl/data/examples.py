"""Examples as a source gives them: their description, inputs and targets, and hints on their division.

No array library is imported here: sources describe their examples before a number is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from nnctl.components.signature import EmbeddedColumn
from nnctl.late import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nnctl.data.stored.arrays import Rows


@dataclass(frozen=True)
class Description:
    """A description of a source's examples, before the class filter and the transforms.

    classes: names in the order of the label indices, None where targets are values.
    scale: the factor by which stored inputs enter the net, None where they enter as they are.
    examples: their number, a test set of the source included; None where that takes a full read.
    target_shape: of an example's values; of labels () for one an example, (time,) for one a step.
    vocabulary: the tokens that input indices stand for, where they are known.
    embedded: columns of the inputs that are indices of trained vectors.
    """

    input_shape: tuple[int, ...]
    input_dtype: Literal["uint8", "real", "index"] = "real"
    classes: tuple[str, ...] | None = None
    target_shape: tuple[int, ...] = ()
    scale: float | None = None
    examples: int | None = None
    vocabulary: tuple[str, ...] | None = None
    embedded: tuple[EmbeddedColumn, ...] = ()

    def of_shape(self, input_shape: tuple[int, ...]) -> Description:
        """The same of inputs of a shape that is known now."""
        return replace(self, input_shape=input_shape)

    @property
    def unit(self) -> float:
        """The factor that brings stored inputs to the range in which augmentations work.

        Bytes are brought to the range from 0 to 1 by the source's scale, or else by 1/255; other
        numbers stay as they are.
        """
        if self.input_dtype != "uint8":
            return 1.0
        return 1 / 255 if self.scale is None else self.scale


@dataclass(frozen=True)
class SplitHints:
    """Hints of the data on the division of their examples; each (n,), or None.

    assigned: int8, 0 for training, 1 for validation, 2 for the test. groups: int64, equal for examples that must
    lie on one side. times: numbers that grow with time; later examples are held out. folds: int64, the fold of each,
    from 0, for cross-validation.
    """

    assigned: NDArray[Any] | None = None
    groups: NDArray[Any] | None = None
    times: NDArray[Any] | None = None
    folds: NDArray[Any] | None = None

    def of_rows(self, rows: NDArray[Any]) -> SplitHints:
        """The hints of some of the examples."""
        named = {f.name: getattr(self, f.name) for f in fields(self)}
        return SplitHints(**{name: None if array is None else array[rows] for name, array in named.items()})


@dataclass(frozen=True)
class FittedInputs:
    """Inputs made with what the training examples taught.

    inputs: all of them, (n, *input_shape), as `description` has them. fitted: that, as plain data, from which
    inputs to come are made alike. advice: a sentence for each doubt.
    """

    inputs: Rows
    description: Description
    fitted: Mapping[str, Any]
    advice: tuple[str, ...] = ()


class UnfittedInputs(Protocol):
    """Inputs that become numbers when it is known which examples train."""

    def __len__(self) -> int: ...

    def of(self, rows: NDArray[Any]) -> UnfittedInputs:
        """The same of the examples at `rows`, increasing indices."""

    def fit(self, train: NDArray[Any]) -> FittedInputs:
        """All inputs, by the statistics of the examples at `train`, increasing indices. Raises DataError."""


@dataclass(frozen=True)
class Examples:
    """All examples of a source.

    inputs: (n, *input_shape) uint8, float32 or int64, or what becomes that when the training examples are known;
    targets: labels (n,) or (n, time) int64 or values (n, *target_shape) float32; test_inputs and test_targets: the
    test set that comes with the source apart. hints: what decides on which side examples are held out.
    advice: a sentence for each doubt about them. fitted: of inputs that are numbers, what inputs to come are made by.
    weights and test_weights: what each example counts in the cost, (n,), as the data says it, where
    `Source.weights` asks for it; None for 1.
    """

    description: Description
    inputs: Rows | UnfittedInputs
    targets: NDArray[Any]
    test_inputs: Rows | None = None
    test_targets: NDArray[Any] | None = None
    hints: SplitHints = field(default_factory=SplitHints)
    advice: tuple[str, ...] = ()
    fitted: Mapping[str, Any] = field(default_factory=dict)
    weights: NDArray[Any] | None = None
    test_weights: NDArray[Any] | None = None
