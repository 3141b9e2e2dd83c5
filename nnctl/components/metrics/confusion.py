"""The base of metrics that count right and wrong answers by class."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Self

from nnctl.components.base import Array, Cost, Namespace, Task
from nnctl.components.builder import Builder, among_counted
from nnctl.components.metrics.averages import PerClass
from nnctl.components.metrics.targets import above, labelled, values
from nnctl.errors import ShapeError
from nnctl.late import dataclass

if TYPE_CHECKING:
    from nnctl.components.accumulators import Accumulator, Statistics

THRESHOLD_WORDS = (
    "above it a unit says yes, and where the largest output answers, yes to the class; the cost's if absent, 0 for "
    "hinge, else ½"
)


def counts(builder: Builder, output: Any, target: Any, threshold: float | None) -> dict[str, Any]:
    """Of a batch, how often each class was answered rightly, answered, and right: (classes,).

    Labels: the unit with the largest output is the answer; with a threshold each unit says yes
    or no to its class. A single unit, or several with values for targets, say yes or no each:
    then there is `rejected` too, how often a no was right. Their threshold is ½ if None. Labels
    that are left out count nowhere. Whole numbers, exact in float32.
    """
    truth = values(builder, output, target)
    if labelled(output, target) and output.shape[-1] > 1:
        if threshold is None:
            answer = builder.apply("one_hot", builder.apply("argmax", output), classes=output.shape[-1])
        else:
            answer = above(builder, output, threshold)
    else:
        border = Cost.threshold if threshold is None else threshold
        answer = above(builder, output, border)
        # A label is 0 or 1, wherever the outputs' threshold is.
        truth = above(builder, truth, Cost.threshold if labelled(output, target) else border)
    axes = tuple(range(len(output.shape) - 1))
    answer, truth = among_counted(builder, answer), among_counted(builder, truth)

    def both(xp: Namespace, a: Array, y: Array) -> Array:
        return a * y

    def neither(xp: Namespace, a: Array, y: Array) -> Array:
        return (1.0 - a) * (1.0 - y)

    found = {
        "hits": builder.apply("sum", builder.formula("both", both, answer, truth), axes=axes),
        "answered": builder.apply("sum", answer, axes=axes),
        "support": builder.apply("sum", truth, axes=axes),
    }
    if not labelled(output, target) or output.shape[-1] == 1:
        rejected = among_counted(builder, builder.formula("neither", neither, answer, truth))
        found["rejected"] = builder.apply("sum", rejected, axes=axes)
    return found


@dataclass(frozen=True)
class Counts:
    """The counts of all examples, by class, float64 (classes,). independent: labels that may be true together."""

    hits: Array
    answered: Array
    support: Array
    independent: bool

    @classmethod
    def of(cls, totals: Statistics) -> Counts:
        """The counts from sums of `counts`; a lone unit's are those of two classes, no and yes."""
        import numpy as np

        hits, answered, support = totals["hits"], totals["answered"], totals["support"]
        if "rejected" not in totals or len(hits) > 1:
            return cls(hits, answered, support, "rejected" in totals)
        rejected = totals["rejected"]
        right, answers = rejected, rejected + support - hits
        occur = rejected + answered - hits
        return cls(np.append(right, hits), np.append(answers, answered), np.append(occur, support), independent=False)


def ratio(part: Array, whole: Array) -> Array:
    """part / whole, and 0 where both are 0."""
    import numpy as np

    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) != 0.0)


@dataclass(frozen=True, kw_only=True)
class ClassScore(PerClass):
    """A number of each class's counts.

    Averages are scikit-learn's: macro leaves out classes that neither occur nor are answered,
    weighted weighs each by how often it occurs, micro adds the counts first.
    """

    of_answers = True
    leaves_out = True

    threshold: Annotated[float | None, THRESHOLD_WORDS] = None

    @property
    def column(self) -> str:
        name = super().column
        return name if self.threshold is None else f"{name}_at_{self.threshold:g}"

    @property
    def yes_above(self) -> float | None:
        return self.threshold

    def fitted(self, task: Task) -> Self:
        metric = super().fitted(task)
        threshold = task.threshold(self.type, metric.threshold)
        if not task.chooses:
            return replace(metric, threshold=threshold)
        of_one = self.class_ is not None or (task.units == 2 and self.average is None)
        if metric.threshold is not None and not of_one:
            message = f"{self.type}: of {task.units} classes a threshold decides about one"
            raise ShapeError(message, f"say which: {{type: {self.type}, class: …, threshold: …}}", path="metrics")
        return metric

    def build(self, builder: Builder, output: Any, target: Any) -> dict[str, Any]:
        if self.class_ is not None:
            lone = output.shape[-1] == 1
            self.position(2 if lone else output.shape[-1])
        return counts(builder, output, target, self.threshold)

    def start(self) -> Accumulator:
        from nnctl.components.accumulators import Totals

        return Totals(lambda totals: self.averaged(Counts.of(totals)))

    def score(self, hits: Array, answered: Array, support: Array) -> Array:
        """The number of each class, from counts of any shape."""
        raise NotImplementedError

    def averaged(self, counts: Counts) -> float:
        """The number of all classes together, as the fields say."""
        of_each = self.score(counts.hits, counts.answered, counts.support)
        if self.class_ is not None:
            return float(of_each[self.position(len(of_each))])
        match self.average:
            case "micro":
                return float(self.score(counts.hits.sum(), counts.answered.sum(), counts.support.sum()))
            case "weighted":
                return float(ratio((of_each * counts.support).sum(), counts.support.sum()))
            case None if len(of_each) == 2 and not counts.independent:
                return float(of_each[1])
        met = (counts.support + counts.answered > 0) | counts.independent
        return float(of_each[met].mean())
