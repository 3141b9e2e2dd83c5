"""The compiled CPU backend: a plan is a table of calls, which one or more threads walk through."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.blas import limit_blas_threads
from nnctl.backends.contract import Executable, Finding, Resources
from nnctl.backends.cpu.codegen.source import generate, missing
from nnctl.backends.cpu.compilation import compile_ahead
from nnctl.backends.cpu.executable import CompiledStep, Trials, changed_by, run_as
from nnctl.backends.cpu.listing import listing
from nnctl.backends.cpu.schedule import CpuPlan, lowered
from nnctl.backends.cpu.settling import SettlingStep
from nnctl.backends.cpu.tables import aligned
from nnctl.backends.cpu.ways import Choice, Way, by_measurement, by_rule, kept, owned_from
from nnctl.backends.host_arrays import lies_still
from nnctl.graph.ir import Graph
from nnctl.plan.dtypes import Precision
from nnctl.plan.plan import Plan
from nnctl.process import memory
from nnctl.process.cores import cores

Array = NDArray[Any]


class CpuBackend:
    """Storage is NumPy arrays in memory.

    threads: at most so many a step; None for one a core.
    """

    name = "cpu"
    takes_any_op = False

    def __init__(self, threads: int | None = None) -> None:
        limit_blas_threads(1)
        self.threads = threads or cores()
        self.resources = Resources(self.threads, f"{Way(self.threads).words} at most")

    def missing(self, graph: Graph) -> tuple[str, ...]:
        """See `Backend`."""
        return missing(graph)

    def to_device(self, array: Array) -> Array:
        """See `Backend`."""
        # Not ascontiguousarray, which gives an array without axes one.
        return _aligned_copy(np.asarray(array, order="C"))

    def to_read(self, array: Array) -> Array:
        """See `Backend`."""
        return array if lies_still(array) else self.to_device(array)

    def to_host(self, placed: Array) -> Array:
        """See `Backend`."""
        return placed.copy()

    def copy_into(self, placed: Array, array: Array, first: int = 0) -> None:
        """See `Backend`."""
        placed[slice(first, first + len(array)) if array.ndim else ...] = array

    def entries(self, placed: Array, first: int, shape: tuple[int, int]) -> Array:
        """See `Backend`."""
        return placed[first : first + math.prod(shape)].reshape(shape)

    def memory_left(self) -> int:
        """See `Backend`."""
        return memory.available()

    def plan(self, graph: Graph, sizes: Mapping[str, int], precision: Precision = "float32") -> Plan:
        """See `Backend`."""
        return lowered(graph, sizes, precision, owned_from=owned_from(self.threads))

    def compile_ahead(self, graph: Graph, sizes: Mapping[str, int]) -> bool:
        """See `BackendComponent`."""
        if self.missing(graph):
            return False
        plan = self.plan(graph, sizes)
        return compile_ahead(generate(plan).kinds, f"launches of the step {plan.name!r} while it is planned")

    def load(self, plan: Plan, storage: Mapping[str, Array]) -> Executable:
        """See `Backend`. Raises ValueError for another precision than float32.

        What is worth more sessions of measuring is run at first by those before, or by rule.
        """
        if not self._worth_measuring(plan):
            return _loaded(plan, storage, by_rule(plan, self.threads))
        choice = kept(plan, self.threads) or by_rule(plan, self.threads)
        if choice.settled:
            return _loaded(plan, storage, choice)

        def measured() -> CompiledStep:
            return _loaded(plan, storage, self.choice(plan, storage))

        return SettlingStep(_loaded(plan, storage, choice), measured)

    def load_timed(self, plan: Plan, storage: Mapping[str, Array], *, retune: bool = False) -> CompiledStep:
        """See `Backend`."""
        return _loaded(plan, storage, self.choice(plan, storage, again=retune), timed=True)

    def choice(self, plan: Plan, storage: Mapping[str, Array], *, again: bool = False) -> Choice:
        """The way to run a plan, after one more session of measuring where that is worth it.

        again: whether to forget the sessions before.
        """
        if not self._worth_measuring(plan):
            return by_rule(plan, self.threads)
        return by_measurement(plan, self.threads, Trials(_own(plan), storage).run, again=again)

    def _worth_measuring(self, plan: Plan) -> bool:
        """True for steps that train, which are run again and again, where there is anything to choose."""
        return self.threads > 1 and plan.precision == "float32" and bool(changed_by(plan))

    def listing(self, plan: Plan) -> str:
        """See `Backend`."""
        return listing(plan)

    def describe(self) -> tuple[Finding, ...]:
        """See `Backend`."""
        words = "cores that this process may use; fewer with backend: {type: cpu, threads: n}"
        return (Finding("threads", str(self.threads), words),)


def _loaded(plan: Plan, storage: Mapping[str, Array], choice: Choice, *, timed: bool = False) -> CompiledStep:
    # What trains is run again and again, as are the steps of other trials beside it.
    joint = plan.guard is not None
    return CompiledStep(run_as(_own(plan), choice.way), storage, choice, timed=timed, joint=joint)


def _own(plan: Plan) -> CpuPlan:
    """A plan of this backend. Raises TypeError for any other."""
    if not isinstance(plan, CpuPlan):
        raise TypeError(f"the plan {plan.name!r} is of another backend")
    return plan


def _aligned_copy(array: Array) -> Array:
    copy = aligned(max(8, array.nbytes))[: array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
