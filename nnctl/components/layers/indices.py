"""Layers that read indices: words, characters, classes."""

from __future__ import annotations

from typing import Annotated, Any

from nnctl.components.base import Initializer, Layer, Regularizer
from nnctl.components.builder import Builder
from nnctl.components.fields import PositiveInt
from nnctl.components.initializers import Normal, Uniform
from nnctl.components.layers.shapes import one, show
from nnctl.components.registry import register
from nnctl.errors import ShapeError


def _size(layer: str, builder: Builder, x: Any, vocabulary: int | None) -> int:
    """Number of different indices. Raises ShapeError where x holds none, or nothing says how many."""
    if x.dtype != "index":
        raise ShapeError(
            f"{layer} reads indices, and its input is numbers of shape {show(x.shape)}",
            "data of type text gives indices, and so does npz or npy with indices: true",
        )
    size = vocabulary or builder.vocabulary
    if size is None:
        raise ShapeError(
            f"{layer} does not know how many different indices there are", "say so: vocabulary: the largest plus 1"
        )
    if builder.vocabulary is not None and size < builder.vocabulary:
        raise ShapeError(
            f"{layer} has a vocabulary of {size}, and the data of {builder.vocabulary}",
            "leave vocabulary out, and it is the data's",
        )
    return size


@register("layer", "embedding")
class Embedding(Layer):
    """A trained vector for each index: (batch, time) → (batch, time, units).

    Parameter: `weight` (vocabulary, units). Where neither layer nor spec names an
    initializer it begins as N(0, 1), in the keras convention as U(±0.05).
    """

    formula = "a = row x of W"
    example = "{type: embedding, units: 16}"

    units: Annotated[PositiveInt, "length of a vector"]
    vocabulary: Annotated[PositiveInt | None, "how many different indices there are; the data's if absent"] = None
    initializer: Annotated[Initializer | None, "of the vectors; the spec's if absent"] = None
    regularizer: Annotated[Regularizer | None, "on the vectors; the spec's if absent"] = None

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = one(self.type, inputs)
        rows = _size(self.type, builder, x, self.vocabulary)
        table = builder.parameter(
            "weight", (rows, self.units), kind="weight", fans=(rows, self.units),
            initializer=self.initializer, regularizer=self.regularizer,
            default=Uniform() if builder.convention == "keras" else Normal(),
        )  # fmt: skip
        return builder.apply("lookup", table, x)


@register("layer", "one_hot")
class OneHot(Layer):
    """A 1 at the place of each index: (batch, time) → (batch, time, vocabulary)."""

    formula = "a_j = 1 if j = x else 0"
    example = "{type: one_hot, vocabulary: 60}"

    vocabulary: Annotated[PositiveInt | None, "how many different indices there are; the data's if absent"] = None

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = one(self.type, inputs)
        return builder.apply("one_hot", x, classes=_size(self.type, builder, x, self.vocabulary))


@register("layer", "mask")
class Mask(Layer):
    """Mask of the real steps of a sequence, the second input of recurrent layers: (batch, time, …) → (batch, time).

    A step is filled in where all of its numbers are `value`. Name the layer, and let
    the recurrent layers read it: inputs: [sequence, mask].
    """

    formula = "m_t = 0 if x_t = value else 1"
    example = "{type: mask, value: 0, name: there}"

    value: Annotated[float, "what fills sequences up"] = 0.0

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = one(self.type, inputs)
        if len(x.shape) != (2 if x.dtype == "index" else 3):
            raise ShapeError(
                f"mask reads indices (batch, time) or numbers (batch, time, features), found {show(x.shape)}",
                "let it read the net's input: inputs: [input]",
            )
        return builder.apply("differs", x, value=self.value)
