"""The base of backends that run a plan launch by launch on the arrays of a module like NumPy.

An op runs the backend's kernel where it has one, else its reference body.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.blas import limit_blas_threads
from nnctl.backends.contract import Alternative, Done, Finding, Placed, Resources, Result
from nnctl.backends.host_arrays import lies_still
from nnctl.backends.limits import product_limit
from nnctl.graph.ir import Graph
from nnctl.graph.views import VIEWS
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.namespaces import ComplexStepNamespace, RealNamespace
from nnctl.plan.dtypes import Precision, element
from nnctl.plan.lower import lower
from nnctl.plan.plan import Launch, Plan, Slot
from nnctl.process import memory

Kernel: TypeAlias = Callable[[list[Any], Any, Mapping[str, Any]], Callable[[], None]]
"""(inputs, output, attributes) -> the launch."""


class LaunchByLaunchBackend:
    """A `Backend` on the arrays of `module`, whose launches are functions of Python.

    kernels: by op, launches that write straight into their output; of ops with one result.
    """

    name = "launch by launch"
    resources = Resources(1)
    takes_any_op = True
    module: ModuleType = np
    kernels: Mapping[str, Kernel] = MappingProxyType({})

    def __init__(self) -> None:
        limit_blas_threads(1)

    def to_device(self, array: NDArray[Any]) -> Placed:
        """See `Backend`."""
        placed: Placed = self.module.array(array, order="C")
        return placed

    def to_read(self, array: NDArray[Any]) -> Placed:
        """See `Backend`."""
        return array if self.module is np and lies_still(array) else self.to_device(array)

    def to_host(self, placed: Any) -> NDArray[Any]:
        """See `Backend`."""
        return np.array(placed, order="C")

    def copy_into(self, placed: Any, array: NDArray[Any], first: int = 0) -> None:
        """See `Backend`."""
        placed[slice(first, first + len(array)) if array.ndim else ...] = self.module.asarray(array)

    def entries(self, placed: Any, first: int, shape: tuple[int, int]) -> Any:
        """See `Backend`."""
        return placed[first : first + math.prod(shape)].reshape(shape)

    def memory_left(self) -> int:
        """See `Backend`."""
        return memory.available()

    def missing(self, graph: Graph) -> tuple[str, ...]:
        """See `Backend`."""
        ops = (n.op for n in graph.nodes if n.op.name not in VIEWS and not isinstance(n.op, ElementwiseOp))
        return tuple(sorted({op.name for op in ops}.difference(self.kernels)))

    def plan(self, graph: Graph, sizes: Mapping[str, int], precision: Precision = "float32") -> Plan:
        """See `Backend`."""
        return lower(graph, sizes, precision)

    def load(self, plan: Plan, storage: Mapping[str, Any]) -> LaunchByLaunch:
        """See `Backend`."""
        return LaunchByLaunch(plan, storage, self)

    def load_timed(self, plan: Plan, storage: Mapping[str, Any], *, retune: bool = False) -> TimedLaunchByLaunch:
        """See `Backend`."""
        return TimedLaunchByLaunch(plan, storage, self)

    def listing(self, plan: Plan) -> str | None:
        """See `Backend`: nothing is generated."""
        return None

    def describe(self) -> Sequence[Finding]:
        """See `Backend`."""
        return ()


class LaunchByLaunch:
    """A loaded plan: every slot is an array, every launch a closure over its arrays."""

    def __init__(self, plan: Plan, storage: Mapping[str, Any], backend: LaunchByLaunchBackend) -> None:
        self.plan = plan
        self.storage = storage
        self.backend = backend
        self.module = backend.module
        complex_step = plan.precision == "complex128"
        self.xp = ComplexStepNamespace(self.module) if complex_step else RealNamespace(self.module)
        self.arena = self.module.zeros(plan.arena_bytes, np.uint8)
        self.feeds: dict[str, Any] = {}
        self.constants: dict[str, Any] = {}
        for launch in plan.setup:
            self._bind(launch)()
        self.before = [self._bind(launch) for launch in plan.launches[: plan.guarded]]
        self.after = [self._bind(launch) for launch in plan.launches[plan.guarded :]]
        self.copies = [(self._array(new), self._array(old)) for new, old in plan.copies]
        self.guard = None if plan.guard is None else self._array(plan.guard)
        self.outputs = {name: self._array(slot) for name, slot in plan.outputs.items()}

    def start(self, feeds: Mapping[str, NDArray[Any]], steps: int) -> Done:
        """See `Executable`: the chunk runs at once."""
        fed = [(array, self.module.asarray(feeds[name])) for name, array in self.feeds.items()]
        outputs = {name: self.module.empty((steps, *a.shape), a.dtype) for name, a in self.outputs.items()}
        # Overflow is found by the guard and named by the post-mortem, which is better than NumPy's warning.
        with np.errstate(all="ignore"):
            completed = next((step for step in range(steps) if not self._step(step, fed, outputs)), steps)
        return Done(Result(completed, {name: self.backend.to_host(a[:completed]) for name, a in outputs.items()}))

    def _step(self, step: int, fed: Sequence[tuple[Any, Any]], outputs: Mapping[str, Any]) -> bool:
        """Run a step; False where its guard is not finite, and then storage is as it was."""
        for array, rows in fed:
            array[...] = rows[step]
        for launch in self.before:
            launch()
        if self.guard is not None and not self.module.isfinite(self.guard):
            return False
        for launch in self.after:
            launch()
        # Outputs first: one of them may be an old value that a copy replaces.
        for name, array in self.outputs.items():
            outputs[name][step] = array
        for new, old in self.copies:
            old[...] = new
        return True

    def _bind(self, launch: Launch) -> Callable[[], None]:
        inputs = [self._array(s) for s in launch.inputs]
        outputs = [self._array(s) for s in launch.outputs]
        kernel = self.backend.kernels.get(launch.op.name)
        if kernel is not None:
            return kernel(inputs, outputs[0], launch.attributes)
        op, attributes, xp = launch.op, launch.attributes, self.xp

        def reference() -> None:
            for array, result in zip(outputs, op.run(xp, inputs, attributes), strict=True):
                array[...] = result

        def several() -> None:
            results = op.run(xp, inputs, attributes)
            # A result that is an input as it stands may lie where an earlier result is about to be written.
            kept = [r.copy() if any(r is i for i in inputs) else r for r in results]
            for array, result in zip(outputs, kept, strict=True):
                array[...] = result

        return several if len(outputs) > 1 else reference

    def _array(self, slot: Slot) -> Any:
        kind = element(slot.dtype, self.plan.precision)
        match slot.place:
            case "storage":
                array = self.storage[slot.key]
                if array.dtype != kind.host:
                    raise TypeError(f"{slot.key} is stored as {array.dtype}, the plan is for {kind.name}")
                return array if array.shape == slot.shape else array.reshape(slot.shape)
            case "feed":
                return self._kept(self.feeds, slot)
            case "constant":
                return self._kept(self.constants, slot)
            case "arena":
                window = self.arena[slot.offset : slot.offset + int(np.prod(slot.shape)) * kind.host.itemsize]
                return window.view(kind.host).reshape(slot.shape)
            case "inline":
                raise ValueError(f"{slot.name} is inlined, which is for backends that generate code")

    def _kept(self, arrays: dict[str, Any], slot: Slot) -> Any:
        if slot.key not in arrays:
            arrays[slot.key] = self.module.zeros(slot.shape, element(slot.dtype, self.plan.precision).host)
        return arrays[slot.key].reshape(slot.shape)


class TimedLaunchByLaunch(LaunchByLaunch):
    """A `TimedExecutable` that looks at the clock before and after each launch."""

    resources = Resources(1, "1 thread")

    def __init__(self, plan: Plan, storage: Mapping[str, Any], backend: LaunchByLaunchBackend) -> None:
        super().__init__(plan, storage, backend)
        self._spent = np.zeros(len(plan.launches))
        timed = [self._timed(*numbered) for numbered in enumerate([*self.before, *self.after])]
        self.before, self.after = timed[: plan.guarded], timed[plan.guarded :]

    def spent(self) -> NDArray[Any]:
        """See `TimedExecutable`."""
        spent, self._spent = self._spent, np.zeros_like(self._spent)
        return spent

    def elsewhere(self) -> frozenset[int]:
        """See `TimedExecutable`: each launch is by itself."""
        return frozenset()

    def limit(self) -> float:
        """See `TimedExecutable`."""
        return product_limit(self.resources.workers)

    def chosen_from(self) -> Sequence[Alternative]:
        """See `TimedExecutable`: nothing was to be chosen."""
        return ()

    def _timed(self, index: int, launch: Callable[[], None]) -> Callable[[], None]:
        def timed() -> None:
            began = time.perf_counter()
            launch()
            self._spent[index] += time.perf_counter() - began

        return timed
