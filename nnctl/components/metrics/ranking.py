"""The base of metrics that look at the order in which outputs put the examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from nnctl.components.base import Array
from nnctl.components.builder import Builder
from nnctl.components.metrics.averages import PerClass
from nnctl.components.metrics.targets import above, column, labelled, rows
from nnctl.late import dataclass

if TYPE_CHECKING:
    from nnctl.components.accumulators import Accumulator, Statistics

HALF = 0.5
"""The value of a target above which it is a yes."""


@dataclass(frozen=True, kw_only=True)
class Ranking(PerClass):
    """A number of each class, from all examples' outputs for it and whether they belong to it.

    All outputs of the split, or since the row before, are kept for it. Undefined, and so not
    measured, where the examples of a class or of its opposite are missing.
    """

    average: Annotated[
        Literal["macro", "weighted"] | None, "over the classes; of two the second alone if absent, else macro"
    ] = None

    def build(self, builder: Builder, output: Any, target: Any) -> dict[str, Any]:
        if self.class_ is not None:
            self.position(2 if output.shape[-1] == 1 else output.shape[-1])
        scores = rows(builder, output)
        if labelled(output, target):
            return {"scores": scores, "labels": column(builder, builder.apply("cast", target))}
        return {"scores": scores, "truth": rows(builder, above(builder, target, HALF))}

    def start(self) -> Accumulator:
        from nnctl.components.accumulators import EveryExample

        return EveryExample(lambda kept: self.averaged(*of_classes(kept), independent=_independent(kept)))

    def score(self, scores: Array, truth: Array) -> float:
        """The number of one class: scores (n,), truth (n,) of bool, some of it true and some false."""
        raise NotImplementedError

    def averaged(self, scores: Array, truth: Array, *, independent: bool) -> float:
        """The number of all classes together, as the fields say: scores and truth (n, classes)."""
        import numpy as np

        classes = truth.shape[1]
        two = classes == 2 and not independent
        if self.class_ is not None:
            wanted = [self.position(classes)]
        else:
            wanted = [1] if two and self.average is None else list(range(classes))
        support = truth[:, wanted].sum(axis=0)
        if not np.all((support > 0) & (support < len(truth))):
            return float("nan")
        of_each = np.array([self.score(scores[:, k], truth[:, k]) for k in wanted])
        return float(np.average(of_each, weights=support if self.average == "weighted" else None))


def _independent(kept: Statistics) -> bool:
    """True where several classes may be true of an example."""
    return "truth" in kept and kept["truth"].shape[1] > 1


def of_classes(kept: Statistics) -> tuple[Array, Array]:
    """(scores, truth), both (n, classes), of what `Ranking.build` gives; a lone unit is two classes, no and yes."""
    import numpy as np

    scores = kept["scores"]
    if scores.shape[1] > 1:
        if "truth" in kept:
            return scores, kept["truth"] > HALF
        return scores, kept["labels"][:, None] == np.arange(scores.shape[1])
    yes = kept["truth"][:, 0] > HALF if "truth" in kept else kept["labels"] > HALF
    return np.concatenate([-scores, scores], axis=1), np.stack([~yes, yes], axis=1)
