"""The gradient check: every analytic derivative against a numeric one, in float64.

The complex step (Squire & Trapp, SIAM Review 40, 1998) has no step size to
choose and no cancellation: it agrees to rounding or there is a defect.
Central differences are the independent second opinion. At a kink (a relu
whose input is 0) left and right derivative differ and none is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.analysis.examples import random_examples
from nnctl.analysis.rounding import largest
from nnctl.backends.contract import Executable
from nnctl.backends.registry import reference_backend
from nnctl.components.signature import DataSignature
from nnctl.engine.initial import initial_state
from nnctl.engine.memory import require_for_training
from nnctl.graph import interface
from nnctl.graph.ir import Graph
from nnctl.graph.network import Network
from nnctl.graph.passes import drop_dead
from nnctl.late import dataclass
from nnctl.plan.dtypes import Precision
from nnctl.spec.document import Spec

Method: TypeAlias = Literal["complex", "central"]
Verdict: TypeAlias = Literal["PASS", "FAIL", "KINK"]

COMPLEX_STEP = 1e-30
"""Its square vanishes beside any number that float64 holds."""
TOLERANCE = {"complex": 1e-9, "central": 1e-5}
"""Largest relative error that passes. Measured on a deep net of tanh units, 64 examples: 2e-16 and 5e-10 in the
median; central differences lose more where a derivative is small beside the objective."""
_SMALL = 1e-6
"""Derivatives below this share of the parameter's largest are measured against that share: they are
differences of larger terms, whose rounding is all that is left of them."""
_ROUNDING = 1e-15
"""Relative error of the objective itself: what central differences divide by eps."""
_MOVED = 2.0**-52
"""Relative change of the numbers that a gradient is computed from, which shows what rounding does to it."""
_CHANGES = 3
_TIMES = 16.0
"""Rounding may be so many times the most that the changes show."""
_MOST = 1e-12
"""No more of it is believed than this share of the largest derivative: a change may cross a kink."""
_KINK_JUMP = 1e-3
"""Left and right derivative that differ by this share are no rounding."""


@dataclass(frozen=True)
class ParameterCheck:
    """The worst component of one parameter.

    error: |numeric − analytic| / (|numeric| + |analytic|). checked: how many components.
    kinks: how many of them lie on a kink, and are left out of `error` unless all do.
    """

    parameter: str
    shape: tuple[int, ...]
    checked: int
    error: float
    index: tuple[int, ...]
    analytic: float
    numeric: float
    kinks: int
    verdict: Verdict


@dataclass(frozen=True)
class CurvePoint:
    """Relative errors of central differences with one step size, over all parameters."""

    eps: float
    median: float
    largest: float


class GradientCheck:
    """The objective of a spec on random examples, and its derivatives.

    batch: how many examples. Random layers are active, their masks frozen at step 0.
    """

    def __init__(self, spec: Spec, signature: DataSignature, *, batch: int = 8, seed: int | None = None) -> None:
        self.network = Network(spec, signature)
        self.batch = batch
        self.seed = spec.seed if seed is None else seed
        require_for_training(self.network, batch, batch)
        state = initial_state(self.network, self.seed, batch)
        self.parameters = {name: state[name] for name in self.network.structure.parameters}
        self._trained = [name for name, parameter in self.network.structure.parameters.items() if not parameter.frozen]
        self.states = {name: state[name] for name in self.network.structure.states}
        self.data = random_examples(signature, batch, self.seed)
        full = self.network.objective
        self._value_graph = drop_dead(replace(full, outputs={interface.OBJECTIVE: full.outputs[interface.OBJECTIVE]}))
        self.gradients = self._run(full, self._storage("float64"))
        self.objective = float(self.gradients[interface.OBJECTIVE])
        self._rounding = self._measured_rounding(full)

    def run(
        self, *, method: Method = "complex", samples: int | None = 50, eps: float = 1e-5, tolerance: float | None = None
    ) -> Iterator[ParameterCheck]:
        """One result a parameter. samples: components checked of each, drawn at random; None for all."""
        limit = TOLERANCE[method] if tolerance is None else tolerance
        numeric = self._complex_step() if method == "complex" else self._central(eps)
        noise = 0.0 if method == "complex" else _ROUNDING * abs(self.objective) / eps
        for name in self._trained:
            yield self._check(name, numeric, samples, limit, eps, noise + self._rounding[name])

    def curve(self, exponents: Sequence[float], *, samples: int | None = 20) -> Iterator[CurvePoint]:
        """The V-curve: truncation error falls with eps, rounding error rises. samples: as in `run`."""
        for exponent in exponents:
            eps = 10.0**exponent
            numeric = self._central(eps)
            errors = [
                _relative_error(numeric(name, index), float(self._analytic(name)[index]))
                for name in self._trained
                for index in self._indices(name, samples)
            ]
            yield CurvePoint(eps, float(np.median(errors)), max(errors))

    # -- one parameter -------------------------------------------------------

    def _check(
        self, name: str, numeric: Any, samples: int | None, limit: float, eps: float, noise: float
    ) -> ParameterCheck:
        gradient = self._analytic(name)
        floor = _SMALL * largest(gradient)
        rows = []
        for index in self._indices(name, samples):
            value, analytic = numeric(name, index), float(gradient[index])
            error = _relative_error(value, analytic, floor, noise)
            rows.append((error, index, analytic, value, not error <= limit and self._kink(name, index, eps)))
        kinks = sum(row[-1] for row in rows)
        counted = [row for row in rows if not row[-1]] or rows
        # NaN is worse than any number.
        error, index, analytic, value, _ = max(counted, key=lambda row: (math.isnan(row[0]), row[0]))
        verdict: Verdict = "PASS" if error <= limit else "KINK" if kinks == len(rows) else "FAIL"
        if verdict == "PASS" and kinks:
            verdict = "KINK"
        return ParameterCheck(name, gradient.shape, len(rows), error, index, analytic, value, kinks, verdict)

    def _analytic(self, name: str) -> NDArray[Any]:
        """The graph's gradient; 0 for a parameter that the objective does not depend on."""
        return self.gradients.get(name, np.zeros(self.parameters[name].shape))

    def _indices(self, name: str, samples: int | None) -> list[tuple[int, ...]]:
        """All components, or a random choice that includes the largest derivative."""
        gradient = self._analytic(name)
        count = gradient.size
        if samples is None or samples >= count:
            chosen = np.arange(count)
        else:
            rng = np.random.Generator(np.random.Philox(key=self.seed))
            chosen = rng.choice(count, samples, replace=False)
            largest = int(np.argmax(np.abs(gradient)))
            if largest not in chosen:
                chosen[0] = largest
        return [tuple(int(i) for i in np.unravel_index(c, gradient.shape)) for c in np.sort(chosen)]

    def _kink(self, name: str, index: tuple[int, ...], eps: float) -> bool:
        """True where the derivative jumps within ±eps.

        Where it is smooth, the left and the right difference quotient approach
        each other as the step shrinks; across a kink they do not, or the kink
        drops out of the interval at once.
        """
        objective = self._perturbed("float64")
        here = objective(name, index, 0.0)

        def jump(step: float) -> float:
            right = (objective(name, index, step) - here) / step
            left = (here - objective(name, index, -step)) / step
            noise = 10.0 * _ROUNDING * abs(here) / step
            return float(max(0.0, abs(right - left) - noise) / max(abs(right) + abs(left), 1e-300))

        wide, narrow = jump(eps), jump(eps / 10.0)
        return wide > _KINK_JUMP and (narrow > 0.5 * wide or narrow < 0.01 * wide)

    # -- numeric derivatives -------------------------------------------------

    def _complex_step(self) -> Any:
        objective = self._perturbed("complex128")

        def derivative(name: str, index: tuple[int, ...]) -> float:
            return float(np.imag(objective(name, index, 1j * COMPLEX_STEP)) / COMPLEX_STEP)

        return derivative

    def _central(self, eps: float) -> Any:
        objective = self._perturbed("float64")

        def derivative(name: str, index: tuple[int, ...]) -> float:
            return float((objective(name, index, eps) - objective(name, index, -eps)) / (2.0 * eps))

        return derivative

    def _perturbed(self, precision: Precision) -> Any:
        """The objective as a function of (parameter, index, what is added there)."""
        storage = self._storage(precision)
        executable = self._loaded(self._value_graph, precision, storage)
        feeds = self._feeds()

        def objective(name: str, index: tuple[int, ...], added: complex) -> Any:
            kept = storage[name][index]
            storage[name][index] = kept + added
            try:
                return executable.start(feeds, 1).result().outputs[interface.OBJECTIVE][0]
            finally:
                storage[name][index] = kept

        return objective

    def _measured_rounding(self, full: Graph) -> dict[str, float]:
        """The most that rounding may do to a component of each parameter's gradient.

        A derivative that is 0 because its terms cancel, as that of a bias in front of batch_norm, has nothing else, and
        the numeric one another: relative to one another they are far apart.
        """
        rng = np.random.Generator(np.random.Philox(key=[self.seed, 1 << 32]))
        gradients = {name: self._analytic(name) for name in self._trained}
        rounding = dict.fromkeys(gradients, _MOST * max(map(largest, gradients.values()), default=0.0))
        shown = dict.fromkeys(gradients, 0.0)
        for _ in range(_CHANGES):
            moved = {
                name: array * (1.0 + _MOVED * rng.uniform(-1.0, 1.0, array.shape)) if array.dtype.kind == "f" else array
                for name, array in self._storage("float64").items()
            }
            otherwise = self._run(full, moved)
            for name, gradient in gradients.items():
                shown[name] = max(shown[name], largest(gradient - otherwise.get(name, gradient)))
        return {name: min(most, _TIMES * shown[name]) for name, most in rounding.items()}

    def _run(self, graph: Graph, storage: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        executable = self._loaded(graph, "float64", storage)
        return {name: array[0] for name, array in executable.start(self._feeds(), 1).result().outputs.items()}

    def _loaded(self, graph: Graph, precision: Precision, storage: Mapping[str, NDArray[Any]]) -> Executable:
        backend = reference_backend()
        return backend.load(backend.plan(graph, self._sizes, precision), storage)

    @property
    def _sizes(self) -> dict[str, int]:
        return interface.sizes(self.batch, self.batch)

    def _feeds(self) -> dict[str, NDArray[Any]]:
        return {interface.INDEX: np.arange(self.batch)[None], interface.STEP: np.zeros(1, np.int64)}

    def _storage(self, precision: Precision) -> dict[str, NDArray[Any]]:
        dtype = np.dtype(precision)
        seed = np.array(interface.seed_words(self.seed), np.int64)
        real = {
            n: a.astype(dtype) if a.dtype.kind == "f" else a
            for n, a in (self.parameters | self.states | self.data).items()
        }
        return {**real, interface.SEED: seed}


def _relative_error(numeric: float, analytic: float, floor: float = 0.0, noise: float = 0.0) -> float:
    """|n − a| / (|n| + |a|), of what rounding does not explain."""
    difference = abs(numeric - analytic)
    if difference <= noise:
        return 0.0
    return (difference - noise) / max(abs(numeric) + abs(analytic), floor)
