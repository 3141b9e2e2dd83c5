"""Pruners: what ends the trials of a sweep early that are not among the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from annotated_types import Ge, Le

from nnctl.components.fields import NonNegativeFloat, PositiveInt, Share
from nnctl.components.kinds.pruning import Bracket, BracketPruner, JudgingPruner, SeriesPruner
from nnctl.components.registry import register

Percent = Annotated[float, Ge(0), Le(100)]


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which a share of ordered values lies, between two neighbours in proportion."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


class _AgainstOthers(JudgingPruner):
    """A pruner of what is worse than a share of the trials before."""

    def loses(self, own: Sequence[float], bound: float | None) -> bool:
        """Worse than the bound, by the value at this rung alone."""
        return bound is not None and own[-1] > bound


@register("pruner", "median")
class Median(_AgainstOthers):
    """Ends what is worse at a rung than half of the trials before it (Golovin et al., Google Vizier, KDD 2017)."""

    formula = "stop if v > median(v of the trials before)"

    startup: Annotated[PositiveInt, "trials that a rung has seen before it ends any"] = 5

    def bound(self, others: Sequence[float]) -> float | None:
        """The median, of as many as it takes."""
        return quantile(others, 0.5) if len(others) >= self.startup else None


@register("pruner", "percentile")
class Percentile(_AgainstOthers):
    """Ends what is not among so many of a hundred of the trials before it, at a rung."""

    formula = "stop if v > the p-th of 100 of the v of the trials before"
    example = "{type: percentile, percentile: 25}"

    percentile: Annotated[Percent, "how many of a hundred go on"] = 25.0
    startup: Annotated[PositiveInt, "trials that a rung has seen before it ends any"] = 5

    def bound(self, others: Sequence[float]) -> float | None:
        """The percentile, of as many as it takes."""
        return quantile(others, self.percentile / 100) if len(others) >= self.startup else None


@register("pruner", "patience")
class Patience(JudgingPruner):
    """Ends what has not improved on its own best over so many rungs, whatever the others do."""

    compares: ClassVar[bool] = False
    formula = "stop if min(last v) ≥ min(v before) − δ"

    patience: Annotated[PositiveInt, "rungs without improvement"] = 2
    min_delta: Annotated[NonNegativeFloat, "the least change that counts as improvement"] = 0.0

    def bound(self, others: Sequence[float]) -> float | None:
        """None: no other trial counts."""
        return None

    def loses(self, own: Sequence[float], bound: float | None) -> bool:
        """No value of the last rungs better than the best before them."""
        before, last = own[: -self.patience], own[-self.patience :]
        return bool(before) and not min(last) < min(before) - self.min_delta


@register("pruner", "halving")
class Halving(BracketPruner):
    """Successive halving: the best of a bracket go on at each rung, one in `factor`, from where they are.

    Jamieson & Talwalkar, Non-stochastic best arm identification and hyperparameter optimization, AISTATS 2016.
    """

    formula = "⌊n/η^(r + 1)⌋ of n go on at rung r"

    bracket: Annotated[PositiveInt | None, "combinations of a bracket; as many as leave one for the end if absent"] = (
        None
    )

    def brackets(self, rungs: int) -> Sequence[Bracket]:
        """One bracket, again and again."""
        return [Bracket(self.bracket or self.factor**rungs)]


@register("pruner", "hyperband")
class Hyperband(BracketPruner):
    """Brackets of successive halving that differ in their first rung: many trials looked at early, few looked at late.

    Li, Jamieson, DeSalvo, Rostamizadeh & Talwalkar, Hyperband, JMLR 18 (2018).
    """

    formula = "n = ⌈(S + 1)·η^s/(s + 1)⌉ in the bracket of s rungs, s = S, …, 0"

    def brackets(self, rungs: int) -> Sequence[Bracket]:
        """A bracket for each number of rungs, the most of them first; the last trains a few from end to end."""
        return [
            Bracket(-(-(rungs + 1) * self.factor**left // (left + 1)), rungs - left) for left in range(rungs, -1, -1)
        ]


@register("pruner", "wilcoxon")
class Wilcoxon(SeriesPruner):
    """Ends a combination once its runs are worse than those of the best before it, seed by seed and fold by fold.

    Wilcoxon, Individual comparisons by ranking methods, Biometrics 1 (1945); one-sided.
    """

    formula = "stop if p < threshold, of v − v(best) > 0"

    threshold: Annotated[Share, "the p-value below which it counts as worse"] = 0.1

    def loses(self, own: Sequence[float], best: Sequence[float]) -> bool:
        """The signed-rank test of the differences; where there are none, nothing is worse."""
        if all(a == b for a, b in zip(own, best, strict=True)):
            return False
        from scipy.stats import wilcoxon

        tested = wilcoxon(list(own), list(best), alternative="greater")
        return bool(tested.pvalue < self.threshold)
