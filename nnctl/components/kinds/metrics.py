"""The base classes of metrics."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from nnctl.components.builder import Builder, among_counted
from nnctl.components.kinds.costs import Cost
from nnctl.components.kinds.net import Activation
from nnctl.components.registry import Component
from nnctl.errors import ShapeError
from nnctl.late import dataclass

if TYPE_CHECKING:
    from nnctl.components.accumulators import Accumulator


@dataclass(frozen=True)
class Task:
    """The question that a net's outputs answer, as far as metrics must know it.

    activation: of the output; None where it is not one activation. classes: names of the labels'
        classes; None where targets are values. units: of the output's last axis.
    """

    cost: Cost
    activation: Activation | None
    classes: tuple[str, ...] | None
    units: int

    @property
    def decides(self) -> bool:
        """True where targets are labels, or a yes or a no for each unit; False where they are any numbers."""
        probable = self.activation is not None and self.activation.probabilities
        return self.classes is not None or self.cost.decides or probable

    @property
    def chooses(self) -> bool:
        """True where the answer is the class of the largest of several outputs."""
        return self.classes is not None and self.units > 1

    def threshold(self, name: str, given: float | None) -> float:
        """The output above which a unit says yes: what a metric's field says, or else the cost's.

        Raises ShapeError, for the metric of that name, where every output lies on one side of it.
        """
        if given is None:
            return self.cost.threshold
        if self.activation is not None and self.activation.probabilities and not 0.0 < given < 1.0:
            message = f"{name}: outputs of {self.activation.type} lie from 0 to 1, all on one side of {given:g}"
            raise ShapeError(message, "choose a threshold between them", path="metrics")
        return given


class Metric(Component):
    """A number reported beside the cost: the graph gives statistics of each batch, an accumulator joins them.

    `of_answers`: True where only the answers count, and not how large the outputs are, so
    that a vote has the metric, too.
    `leaves_out`: True where statistics of a batch are without the labels that `builder.counted` leaves
    out. Statistics of each label need nothing: their rows are dropped before they are joined.
    """

    kind: ClassVar[str] = "metric"
    higher_is_better: ClassVar[bool] = True
    of_answers: ClassVar[bool] = False
    leaves_out: ClassVar[bool] = False

    @property
    def column(self) -> str:
        """Its name in records, after "train_" and the like: another one for other settings."""
        return self.type

    @property
    def yes_above(self) -> float | None:
        """The output above which a unit says yes, once fitted; None where the largest of several is the answer."""
        return None

    def fitted(self, task: Task) -> Self:
        """The metric with what its settings leave to the task. Raises ShapeError where it makes no sense of it."""
        return self

    def build(self, builder: Builder, output: Any, target: Any) -> Mapping[str, Any]:
        """Statistics of a batch by name; "" is a good name for the only one.

        Those of a batch have any shape without the batch's axis; those of its examples begin
        with that axis, or with a multiple of it. target: labels (batch, …) or values (batch, …);
        a label that is left out is any class.
        """
        raise NotImplementedError

    def start(self) -> Accumulator:
        """An accumulator of these statistics that has seen nothing."""
        raise NotImplementedError


class MeanMetric(Metric):
    """The mean over the examples of a number of each; where labels are left out, over the labels that count."""

    leaves_out = True

    def of_each(self, builder: Builder, output: Any, target: Any) -> Any:
        """The number of each example, (batch,), or (batch, …) where its mean counts.

        Of each label, (batch, …) as labels are, where `builder.counted` is there.
        """
        raise NotImplementedError

    def build(self, builder: Builder, output: Any, target: Any) -> Mapping[str, Any]:
        values = self.of_each(builder, output, target)
        if builder.counted is not None:
            if values.shape != builder.counted.shape:
                raise ShapeError(
                    f"{self.type} is one number an example, and labels are left out one by one",
                    "remove the metric, or data.ignore",
                    path="metrics",
                )
            return {"": builder.apply("sum", among_counted(builder, values), axes=tuple(range(len(values.shape))))}
        if len(values.shape) > 1:
            values = builder.apply("mean", values, axes=tuple(range(1, len(values.shape))))
        # Sums, not means: counts of right answers stay whole numbers, exact in float32.
        return {"": builder.apply("sum", values, axes=(0,))}

    def start(self) -> Accumulator:
        from nnctl.components.accumulators import Mean

        return Mean()


class StepMetric(Metric):
    """A number of each training step for each parameter, in a column of its own; nothing that is evaluated.

    Rows hold the mean over the steps since the row before, by their examples.
    """

    def column_of(self, parameter: str) -> str:
        """Its name in records for one parameter, e.g. "gradient_norm.dense1.bias"."""
        return f"{self.type.removesuffix('s')}.{parameter}"

    def among(self, kinds: Collection[str]) -> StepMetric:
        """The metric for a net that trains parameters of these kinds alone."""
        return self

    def measures(self, kind: str) -> bool:
        """True where parameters of a kind ("weight" or "bias") are measured."""
        raise NotImplementedError

    def measure(self, builder: Builder, parameter: Any, gradient: Any) -> Any:
        """The number, (), of one parameter and the objective's gradient in it."""
        raise NotImplementedError
