"""The signature of a data set: shapes and kinds, no numbers."""

from __future__ import annotations

from typing import Literal

from nnctl.late import dataclass


@dataclass(frozen=True)
class EmbeddedColumn:
    """A column whose input is the index of a trained vector. position: among the inputs. width: of a vector.

    rows: what the vectors stand for, in the order of the indices.
    """

    position: int
    name: str
    rows: tuple[str, ...]
    width: int


@dataclass(frozen=True)
class DataSignature:
    """Shapes of one example.

    input_shape: without the batch axis: (8, 8, 1) for a grey image, (2,) for a point.
    input_dtype: how the inputs are stored; "uint8" and "real" enter the net as real numbers.
    classes: the class names where targets are labels (int64 indices), None where they are values.
    target_shape: of one example's targets; () for one label, (time,) for a label a step.
    statistics_shape: shape of the shift and the scale in x ← (x − shift)·scale applied to
        each batch, () or input_shape; None where the inputs enter as they are.
    reconstructs: whether targets are the inputs as they enter the net; the output may have any
        shape of as many numbers.
    target_statistics_shape: shape of the shift and the scale by which the cost's targets become (y − shift)·scale,
        () or one number for each column of the targets; None where they are as the data has them.
    weights_shape: shape of what an example counts in the cost, () for one weight, target_shape for one a label;
        None where all count alike.
    ignores: whether some labels are left out of the cost and of every metric.
    embedded: columns of the inputs (features,) in whose place trained vectors enter the net, by increasing position.
    vocabulary: what the inputs' indices stand for; None where inputs are numbers, or nothing is known.
    """

    input_shape: tuple[int, ...]
    input_dtype: Literal["uint8", "real", "index"] = "real"
    classes: tuple[str, ...] | None = None
    target_shape: tuple[int, ...] = ()
    statistics_shape: tuple[int, ...] | None = None
    vocabulary: tuple[str, ...] | None = None
    reconstructs: bool = False
    target_statistics_shape: tuple[int, ...] | None = None
    weights_shape: tuple[int, ...] | None = None
    ignores: bool = False
    embedded: tuple[EmbeddedColumn, ...] = ()

    @property
    def entering_shape(self) -> tuple[int, ...]:
        """The shape of one example as the first layer reads it."""
        if not self.embedded:
            return self.input_shape
        return (self.input_shape[0] + sum(column.width - 1 for column in self.embedded),)

    @property
    def label_axes(self) -> int:
        """The axes of a batch that tell apart what counts singly in the cost: 1 for examples, 2 for their steps."""
        weighed = () if self.weights_shape is None else self.weights_shape
        return 1 + len(self.target_shape if self.ignores else weighed)
