"""The data's targets as the cost and the metrics want them, held against the shape of the net's output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnctl.components.signature import DataSignature
from nnctl.errors import ShapeError
from nnctl.graph import interface
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.tensor import Tensor
from nnctl.ops.shapes import BATCH, ROWS, Shape, product, show
from nnctl.spec.check.wiring import layer_names
from nnctl.spec.document import Spec


class Targets:
    """Nodes that gather a batch's targets, for a spec on data of a given signature."""

    def __init__(self, spec: Spec, signature: DataSignature) -> None:
        self.spec = spec
        self.signature = signature

    def labels(self, builder: GraphBuilder) -> Tensor:
        """The class labels, (batch, …) as the data has them."""
        return self._gathered(builder, "index", self.signature.target_shape)

    def counted(self, builder: GraphBuilder) -> Tensor | None:
        """1 for each label that counts, 0 for one that is left out, as `labels`; None where none is."""
        if not self.signature.ignores:
            return None
        return self._rows(builder, interface.COUNTED, "real", self.signature.target_shape)

    def weights(self, builder: GraphBuilder) -> Tensor | None:
        """The weights of the examples in the cost, (batch,), or of their labels, (batch, time); None for 1."""
        if self.signature.weights_shape is None:
            return None
        return self._rows(builder, interface.EXAMPLE_WEIGHTS, "real", self.signature.weights_shape)

    def truth(self, builder: GraphBuilder, target: Tensor) -> Tensor:
        """Targets that metrics compare with: labels, or values in their own units. target: the cost's."""
        if self.signature.classes is not None:
            return self.labels(builder)
        if self.signature.target_statistics_shape is None:
            return target
        return self._gathered(builder, "real", self.signature.target_shape)

    def answers(self, builder: GraphBuilder, output: Tensor) -> Tensor:
        """The net's output in the targets' own units."""
        if self.signature.target_statistics_shape is None:
            return output
        statistics = self._statistics(builder)
        restored: Tensor = builder.formula(
            "restore", lambda xp, a, shift, scale: a / scale + shift, output, *statistics
        )
        return restored

    def _rescaled(self, builder: GraphBuilder, target: Tensor) -> Tensor:
        if self.signature.target_statistics_shape is None:
            return target
        statistics = self._statistics(builder)
        rescaled: Tensor = builder.formula(
            "rescale", lambda xp, y, shift, scale: (y - shift) * scale, target, *statistics
        )
        return rescaled

    def _statistics(self, builder: GraphBuilder) -> tuple[Tensor, Tensor]:
        shape = self.signature.target_statistics_shape or ()
        names = (interface.TARGET_SHIFT, interface.TARGET_SCALE)
        shift, scale = (builder.input(name, shape, role="statistic") for name in names)
        return shift, scale

    def of(self, builder: GraphBuilder, output: Tensor) -> Tensor:
        """Targets that the cost compares with: labels, values (rescaled), or values made from labels.

        Raises ShapeError.
        """
        classes, cost = self.signature.classes, self.spec.cost
        if classes is None:
            if cost.targets == "labels":
                raise self._misfit(f"cost {cost.type!r} compares class labels, and these targets are numbers",
                                   self._labels_hint(output))  # fmt: skip
            if self.signature.reconstructs and product(output.shape[1:]) == product(self.signature.target_shape):
                target = self._gathered(builder, "real", self.signature.target_shape)
                return builder.apply("reshape", target, shape=output.shape)
            expected: Shape = (BATCH, *self.signature.target_shape)
            if output.shape != expected:
                raise self._misfit(f"the net's output has shape {show(output.shape)}, the targets {show(expected)}",
                                   self._values_hint(output))  # fmt: skip
            return self._rescaled(builder, self._gathered(builder, "real", self.signature.target_shape))
        labels = self.labels(builder)
        if self._single_unit(output) and cost.targets == "values":
            return builder.apply("reshape", builder.apply("cast", labels), shape=output.shape)
        wanted = (*self.signature.target_shape, len(classes))
        if output.shape != (BATCH, *wanted):
            raise self._misfit(
                f"the net's output has shape {show(output.shape)}, "
                f"{len(classes)} classes need {show((BATCH, *wanted))}",
                self._units_hint(output, wanted),
            )
        if cost.targets == "labels":
            return labels
        return builder.apply("one_hot", labels, classes=len(classes))

    def _gathered(self, builder: GraphBuilder, dtype: Any, shape: tuple[int, ...]) -> Tensor:
        return self._rows(builder, interface.TARGETS, dtype, shape)

    def _rows(self, builder: GraphBuilder, name: str, dtype: Any, shape: tuple[int, ...]) -> Tensor:
        data = builder.input(name, (ROWS, *shape), dtype, "data")
        return builder.apply("gather", data, builder.input(interface.INDEX, (BATCH,), "index", "feed"))

    def _single_unit(self, output: Tensor) -> bool:
        """One output unit for two classes: the probability of the second."""
        alone = (BATCH, *self.signature.target_shape, 1)
        return self.signature.classes is not None and len(self.signature.classes) == 2 and output.shape == alone

    def _misfit(self, message: str, hint: str) -> ShapeError:
        last = len(self.spec.layers) - 1
        return ShapeError(message, hint, layer=layer_names(self.spec.layers)[last], path=f"layers.{last}")

    def _labels_hint(self, output: Tensor) -> str:
        hint = "use a cost on values, for example mse"
        stepwise = len(output.shape) == 3 and output.shape[1:-1] == self.signature.target_shape
        return f"{hint}; or say data.target_type: labels, if each step's target is a class" if stepwise else hint

    def _values_hint(self, output: Tensor) -> str:
        hint = self._units_hint(output, self.signature.target_shape)
        classes = self.signature.target_shape == (1,) and len(output.shape) == 2 and not self.signature.reconstructs
        return f"{hint}; or say data.target_type: labels, if the targets are classes" if classes else hint

    def _units_hint(self, output: Tensor, wanted: Sequence[int]) -> str:
        if len(output.shape) > len(wanted) + 1:
            return "add a flatten layer before the dense layers"
        if len(wanted) == 2 and len(output.shape) == 2:
            return "targets are one a step: give the recurrent layers return_sequence: true"
        if output.shape[1:-1] == tuple(wanted[:-1]):
            return f"end with a dense layer of {wanted[-1]} units"
        if len(wanted) == 2 and len(output.shape) == 3 and output.shape[2] == wanted[1]:
            return f"the targets have {wanted[0]} steps; a reservoir's washout must be the data's"
        return f"end with shape {show(wanted)}"
