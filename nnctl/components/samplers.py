"""Samplers: what proposes the settings of a sweep's trials.

Some are pure functions of the trial's number; others learn from the trials before, through Optuna.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

from nnctl.components.base import Sampler
from nnctl.components.fields import PositiveInt
from nnctl.components.kinds.running import LearningSampler, PointSampler
from nnctl.components.registry import register


@register("sampler", "random")
class Random(PointSampler):
    """Independent draws: of few paths that matter each is tried at as many values as there are trials.

    Bergstra & Bengio, Random search for hyper-parameter optimization, JMLR 13 (2012).
    """

    formula = "u ~ U(0, 1)"

    def point(self, seed: int, index: int, paths: Sequence[str]) -> Sequence[float]:
        """Each coordinate from a hash: no draw depends on another path or on the draws before it."""
        return [_uniform(seed, index, path) for path in paths]


def _uniform(seed: int, index: int, path: str) -> float:
    """A number in [0, 1), of 53 bits of a hash."""
    digest = hashlib.sha256(json.dumps([seed, index, path]).encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) * 2.0**-53


@register("sampler", "qmc")
class QuasiMonteCarlo(PointSampler):
    """Points of low discrepancy, a scrambled Sobol sequence: they fill the space more evenly than random draws.

    Sobol, USSR Comp. Math. 7 (1967); scrambled as by Owen, Rand. Permuted Nets (1995).
    """

    formula = "u_k = the k-th point of Sobol's sequence, its digits permuted"

    def point(self, seed: int, index: int, paths: Sequence[str]) -> Sequence[float]:
        """The index-th point of the sequence in as many dimensions as there are paths."""
        points = 64
        while points <= index:
            points *= 2
        row: list[float] = _sobol(len(paths), seed, points)[index].tolist()
        return row


@cache
def _sobol(dimensions: int, seed: int, points: int) -> Any:
    """The first points of a sequence, [points, dimensions]; `points` is a power of two, as the sequence has it."""
    from scipy.stats.qmc import Sobol

    return Sobol(dimensions, scramble=True, seed=seed).random(points)


@register("sampler", "grid")
class Grid(Sampler):
    """Every combination of a space whose values are finite in number; the last path varies fastest."""

    formula = "x ∈ V₁ × … × Vₙ"


@register("sampler", "tpe")
class Tpe(LearningSampler):
    """Tree-structured Parzen estimator: draws where good trials lie denser than others.

    Bergstra, Bardenet, Bengio & Kégl, Algorithms for hyper-parameter optimization, NeurIPS 24 (2011).
    """

    formula = "x = argmax l(x)/g(x), l of the best trials, g of the others"

    startup: Annotated[PositiveInt, "random trials before the first that learns"] = 10
    candidates: Annotated[PositiveInt, "draws from l, of which the best is taken"] = 24

    def optuna(self, seed: int, *, conditional: bool) -> Any:
        """All paths together; those of a conditional space in groups that were drawn together."""
        from optuna.samplers import TPESampler

        return TPESampler(
            n_startup_trials=self.startup,
            n_ei_candidates=self.candidates,
            seed=seed,
            multivariate=True,
            group=conditional,
        )


@register("sampler", "gp")
class GaussianProcess(LearningSampler):
    """Bayesian optimization: a Gaussian process of the results, and the point where most improvement is expected.

    Snoek, Larochelle & Adams, Practical Bayesian optimization of machine learning algorithms, NeurIPS 25 (2012).
    """

    extra = "gp"
    needs = "torch"
    formula = "x = argmax E[max(f(x) − f*, 0)], f ~ GP"

    startup: Annotated[PositiveInt, "random trials before the first that learns"] = 10

    def optuna(self, seed: int, *, conditional: bool) -> Any:
        """Paths that only some trials have are drawn by themselves, at random."""
        from optuna.samplers import GPSampler

        return GPSampler(n_startup_trials=self.startup, seed=seed, warn_independent_sampling=False)


@register("sampler", "cmaes")
class CmaEs(LearningSampler):
    """Covariance matrix adaptation: a normal distribution that moves and turns towards the better half of its draws.

    Hansen & Ostermeier, Completely derandomized self-adaptation in evolution strategies, Evol. Comp. 9 (2001).
    """

    several = False
    extra = "cmaes"
    needs = "cmaes"
    formula = "x ~ N(m, σ²C)"

    startup: Annotated[PositiveInt, "random trials before the first that learns"] = 1

    def optuna(self, seed: int, *, conditional: bool) -> Any:
        """Values without an order, and paths that only some trials have, are drawn at random."""
        from optuna.samplers import CmaEsSampler

        return CmaEsSampler(n_startup_trials=self.startup, seed=seed, warn_independent_sampling=False)
