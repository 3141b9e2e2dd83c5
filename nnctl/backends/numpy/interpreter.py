"""The reference interpreter: each launch runs its op's reference body. It judges every other backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.blas import limit_blas_threads
from nnctl.backends.contract import Done, Resources, Result
from nnctl.backends.numpy.kernels import KERNELS
from nnctl.graph.ir import Graph
from nnctl.ops.namespaces import numpy_namespace
from nnctl.plan.dtypes import Precision, element
from nnctl.plan.lower import lower
from nnctl.plan.plan import Launch, Plan, Slot

Array = NDArray[Any]


class NumpyBackend:
    """Storage is NumPy arrays in memory."""

    name = "numpy"
    resources = Resources(1)

    def __init__(self) -> None:
        limit_blas_threads(1)

    def to_device(self, array: Array) -> Array:
        """See `Backend`."""
        return np.array(array, order="C")

    def to_host(self, placed: Array) -> Array:
        """See `Backend`."""
        return placed.copy()

    def copy_into(self, placed: Array, array: Array, first: int = 0) -> None:
        """See `Backend`."""
        placed[slice(first, first + len(array)) if array.ndim else ...] = array

    def plan(self, graph: Graph, sizes: Mapping[str, int], precision: Precision = "float32") -> Plan:
        """See `Backend`."""
        return lower(graph, sizes, precision)

    def load(self, plan: Plan, storage: Mapping[str, Array]) -> Interpreter:
        """See `Backend`."""
        return Interpreter(plan, storage)

    def load_timed(self, plan: Plan, storage: Mapping[str, Array]) -> TimedInterpreter:
        """See `Backend`."""
        return TimedInterpreter(plan, storage)


class Interpreter:
    """A loaded plan: every slot is an array, every launch a closure over its arrays."""

    def __init__(self, plan: Plan, storage: Mapping[str, Array]) -> None:
        self.plan = plan
        self.storage = storage
        self.xp = numpy_namespace(complex_step=plan.precision == "complex128")
        self.arena = np.zeros(plan.arena_bytes, np.uint8)
        self.feeds: dict[str, Array] = {}
        self.constants: dict[str, Array] = {}
        for launch in plan.setup:
            self._bind(launch)()
        self.before = [self._bind(launch) for launch in plan.launches[: plan.guarded]]
        self.after = [self._bind(launch) for launch in plan.launches[plan.guarded :]]
        self.copies = [(self._array(new), self._array(old)) for new, old in plan.copies]
        self.guard = None if plan.guard is None else self._array(plan.guard)
        self.outputs = {name: self._array(slot) for name, slot in plan.outputs.items()}

    def start(self, feeds: Mapping[str, Array], steps: int) -> Done:
        """See `Executable`: the chunk runs at once."""
        return Done(self._run(feeds, steps))

    def _run(self, feeds: Mapping[str, Array], steps: int) -> Result:
        outputs = {name: np.empty((steps, *a.shape), a.dtype) for name, a in self.outputs.items()}
        # Overflow is found by the guard and named by the post-mortem, which is better than NumPy's warning.
        with np.errstate(all="ignore"):
            for step in range(steps):
                for name, array in self.feeds.items():
                    array[...] = feeds[name][step]
                for launch in self.before:
                    launch()
                if self.guard is not None and not np.isfinite(self.guard):
                    return Result(step, {name: a[:step] for name, a in outputs.items()})
                for launch in self.after:
                    launch()
                # Outputs first: one of them may be an old value that a copy replaces.
                for name, array in self.outputs.items():
                    outputs[name][step] = array
                for new, old in self.copies:
                    old[...] = new
        return Result(steps, outputs)

    def _bind(self, launch: Launch) -> Callable[[], None]:
        inputs = [self._array(s) for s in launch.inputs]
        outputs = [self._array(s) for s in launch.outputs]
        kernel = KERNELS.get(launch.op.name)
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

    def _array(self, slot: Slot) -> Array:
        dtype = element(slot.dtype, self.plan.precision).host
        match slot.place:
            case "storage":
                array = self.storage[slot.key]
                if array.dtype != dtype:
                    raise TypeError(f"{slot.key} is stored as {array.dtype}, the plan is for {dtype}")
                return array if array.shape == slot.shape else array.reshape(slot.shape)
            case "feed":
                return self.feeds.setdefault(slot.key, np.zeros(slot.shape, dtype)).reshape(slot.shape)
            case "constant":
                return self.constants.setdefault(slot.key, np.zeros(slot.shape, dtype)).reshape(slot.shape)
            case "arena":
                count = int(np.prod(slot.shape))
                window = self.arena[slot.offset : slot.offset + count * dtype.itemsize]
                return window.view(dtype).reshape(slot.shape)
            case "inline":
                raise ValueError(f"{slot.name} is inlined, which the interpreter does not do")


class TimedInterpreter(Interpreter):
    """An interpreter that looks at the clock before and after each launch."""

    resources = Resources(1, "1 thread")

    def __init__(self, plan: Plan, storage: Mapping[str, Array]) -> None:
        super().__init__(plan, storage)
        self._spent = np.zeros(len(plan.launches))
        timed = [self._timed(*numbered) for numbered in enumerate([*self.before, *self.after])]
        self.before, self.after = timed[: plan.guarded], timed[plan.guarded :]

    def spent(self) -> Array:
        """See `TimedExecutable`."""
        spent, self._spent = self._spent, np.zeros_like(self._spent)
        return spent

    def _timed(self, index: int, launch: Callable[[], None]) -> Callable[[], None]:
        def timed() -> None:
            began = time.perf_counter()
            launch()
            self._spent[index] += time.perf_counter() - began

        return timed


def constants_of(plan: Plan, storage: Mapping[str, Array]) -> dict[str, Array]:
    """The values that a plan computes once, by key."""
    setup = replace(plan, launches=(), outputs={}, guard=None, guarded=0, copies=())
    return Interpreter(setup, storage).constants
