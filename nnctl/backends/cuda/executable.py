"""A plan on a device: its memory, its calls bound to it, its steps captured into graphs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.constants import constants_of
from nnctl.backends.contract import Resources, Result
from nnctl.backends.cuda.bookkeeping import LIVE, STEP, keep_outputs, take_feeds
from nnctl.backends.cuda.calls import (
    EMITTERS,
    THREADS,
    Argument,
    Call,
    ProductPrecision,
    Scratch,
    Table,
    blocks_for,
    elements,
)
from nnctl.backends.cuda.codegen.formulas import Formula
from nnctl.backends.cuda.codegen.functions import DeviceFunction, function, generated_unit, parsed
from nnctl.backends.cuda.device import Device
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.namespaces import RealNamespace
from nnctl.plan.dtypes import element
from nnctl.plan.plan import Launch, Plan, Slot

Array = NDArray[Any]
Work = Callable[[], None]

_STEPS_A_GRAPH = 16
"""Steps that one graph holds: to launch it costs as much as a small step takes."""
_ALIGNMENT = 256


@dataclass(frozen=True)
class Bound:
    """A piece of a step. captured: whether a graph can hold it; launches on the host's side cannot be."""

    work: Work
    captured: bool


def calls_of(plan: Plan, precision: ProductPrecision = "float32") -> list[list[Call] | None]:
    """The calls of each launch, in order; None for one whose reference body runs instead. precision: of products."""
    formulas = {
        i: Formula(launch, plan.inlined)
        for i, launch in enumerate(plan.launches)
        if isinstance(launch.op, ElementwiseOp)
    }
    names: dict[str, str] = {}
    for formula in formulas.values():
        names.setdefault(formula.body, f"formula{len(names)}")
    unit = generated_unit(f"the formulas of {plan.name!r}", [f"KERNEL {n}{body}" for body, n in names.items()])
    functions = parsed(unit)
    found: list[list[Call] | None] = []
    for i, launch in enumerate(plan.launches):
        if i in formulas:
            formula = formulas[i]
            blocks = blocks_for(elements(launch.outputs[0]))
            found.append([Call(functions[names[formula.body]], blocks, formula.arguments)])
        elif launch.op.name in EMITTERS:
            found.append(list(EMITTERS[launch.op.name](launch, precision)))
        else:
            found.append(None)
    return found


class CapturedSteps:
    """An `Executable`: feeds and outputs of a chunk lie on the device, and the host waits for nothing between."""

    def __init__(
        self, plan: Plan, storage: Mapping[str, Any], device: Device, precision: ProductPrecision = "float32"
    ) -> None:
        self.plan = plan
        self.device = device
        self._check(storage)
        self._storage = storage
        constants = constants_of(plan, storage, device.download)
        self._constants = {key: device.upload(array) for key, array in constants.items()}
        self._arena = device.empty((max(_ALIGNMENT, plan.arena_bytes),), np.uint8)
        self._feeds = {slot.key: self._new(slot.shape, slot) for slot in self._slots() if slot.place == "feed"}
        self._control = device.upload(np.array([1, 0], np.int32))
        self._scratch: dict[tuple[int, str], Any] = {}
        self._tables: dict[Table, Any] = {}
        self._loaded: dict[DeviceFunction, Any] = {}
        self._inside = [self._bound(i, calls) for i, calls in enumerate(calls_of(plan, precision))]
        self._room = -1
        self._fed: dict[str, Any] = {}
        self._kept: dict[str, Any] = {}
        self._graphs: dict[int, list[Work]] = {}
        self._in_flight = False

    # -- a chunk -------------------------------------------------------------------

    def start(self, feeds: Mapping[str, Array], steps: int) -> ChunkInFlight:
        """See `Executable` in the contract."""
        if self._in_flight:
            raise RuntimeError(f"the step {self.plan.name!r} is started while its last chunk is in flight")
        self._make_room(steps)
        for key, one in self._feeds.items():
            array = np.require(feeds[key], one.dtype, "C").reshape(-1)
            if array.size != steps * one.size:
                raise ValueError(
                    f"feed {key} has {array.size} elements, {steps} steps of {one.size} need {steps * one.size}"
                )
            self.device.write(self._fed[key], array)
        self.device.write(self._control, np.array([1, 0], np.int32))
        self._in_flight = True
        self._run(steps)
        return ChunkInFlight(self, steps)

    def land(self, steps: int) -> Result:
        """Wait for a chunk and read what it has made."""
        try:
            control = self.device.download(self._control)
            completed = int(control[STEP])
            outputs = {
                name: self.device.download(self._kept[name])[: completed * math.prod(slot.shape)].reshape(
                    completed, *slot.shape
                )
                for name, slot in self.plan.outputs.items()
            }
        finally:
            self._in_flight = False
        return Result(completed, outputs)

    def _run(self, steps: int) -> None:
        while steps:
            many = _STEPS_A_GRAPH if steps >= _STEPS_A_GRAPH else 1
            if many not in self._graphs:
                self._graphs[many] = list(self._captured(list(self._step()) * many))
            for work in self._graphs[many]:
                work()
            steps -= many

    def _captured(self, pieces: Sequence[Bound]) -> Iterator[Work]:
        """The pieces with each run of those that can be captured as one graph."""
        waiting: list[Work] = []
        for piece in pieces:
            if piece.captured:
                waiting.append(piece.work)
                continue
            if waiting:
                yield self._graph(waiting)
                waiting = []
            yield piece.work
        if waiting:
            yield self._graph(waiting)

    def _graph(self, works: Sequence[Work]) -> Work:
        def all_of_them() -> None:
            for work in works:
                work()

        return self.device.capture(all_of_them)

    def _step(self) -> Iterator[Bound]:
        """The pieces of a step."""
        plan = self.plan
        yield from self._copies(take_feeds, [(self._fed[k], one) for k, one in self._feeds.items()], "one")
        for position, pieces in enumerate(self._inside):
            if position == plan.guarded:
                yield from self._guard()
            yield from pieces
        if plan.guarded == len(plan.launches):
            yield from self._guard()
        kept = [(self._array(slot), self._kept[name]) for name, slot in plan.outputs.items()]
        yield from self._copies(keep_outputs, kept, "all")
        for new, old in plan.copies:
            copy = function("steps.cu", "copy_real" if new.dtype == "real" else "copy_index")
            yield from self._calls(-1, [Call(copy, blocks_for(elements(new)), (new, old, elements(new)))])
        count = function("steps.cu", "count_step")
        yield self._launched(count, 1, 0, [self._entry(STEP)])

    def _guard(self) -> Iterator[Bound]:
        if self.plan.guard is not None:
            check = function("steps.cu", "check_guard")
            yield self._launched(check, 1, 0, [self._address(self.plan.guard), self._entry(LIVE)])

    def _copies(self, text: Callable[..., str], pairs: Sequence[tuple[Any, Any]], size_of: str) -> Iterator[Bound]:
        """One launch that copies between what the chunk has of all steps and what this step has."""
        if not pairs:
            return
        kinds = tuple(_KINDS[np.dtype(one.dtype)] for one, _ in pairs)
        unit = generated_unit(f"the ends of {self.plan.name!r}", [text(kinds)])
        (copies,) = parsed(unit).values()
        given: list[Any] = [self._entry(STEP)]
        sizes = []
        for source, target in pairs:
            sizes.append(int((target if size_of == "one" else source).size))
            given += [self._at(source), self._at(target), np.int32(sizes[-1])]
        yield self._launched(copies, blocks_for(max(sizes)), 0, given)

    # -- binding -------------------------------------------------------------------

    def _bound(self, number: int, calls: list[Call] | None) -> list[Bound]:
        if calls is not None:
            return list(self._calls(number, calls))
        return [Bound(self._reference(self.plan.launches[number]), captured=False)]

    def _calls(self, number: int, calls: Sequence[Call]) -> Iterator[Bound]:
        for call in calls:
            if call.blocks:
                given = [self._given(number, argument) for argument in call.arguments]
                yield self._launched(call.function, call.blocks, call.shared, given)

    def _launched(self, called: DeviceFunction, blocks: int, shared: int, given: Sequence[Any]) -> Bound:
        if called not in self._loaded:
            self._loaded[called] = self.device.load(called)
        loaded, arguments = self._loaded[called], (self._entry(LIVE), *given)
        return Bound(lambda: self.device.launch(loaded, blocks, THREADS, shared, arguments), captured=True)

    def _given(self, number: int, argument: Argument) -> Any:
        match argument:
            case Slot():
                return self._address(argument)
            case Scratch():
                key = (number, argument.key)
                if key not in self._scratch:
                    host = element(argument.dtype).host
                    self._scratch[key] = self.device.empty((max(1, argument.elements),), host)
                return self._at(self._scratch[key])
            case Table():
                if argument not in self._tables:
                    self._tables[argument] = self.device.upload(np.array(argument.numbers, np.float32))
                return self._at(self._tables[argument])
            case int():
                return np.int32(argument)
            case float():
                return np.float32(argument)

    def _reference(self, launch: Launch) -> Work:
        """The reference body of a launch on the device's arrays, unless a guard has stopped the chunk."""
        inputs = [self._array(slot) for slot in launch.inputs]
        outputs = [self._array(slot) for slot in launch.outputs]
        xp = RealNamespace(self.device.arrays)

        def run() -> None:
            if not int(self.device.download(self._control)[LIVE]):
                return
            with np.errstate(all="ignore"):
                results = launch.op.run(xp, inputs, launch.attributes)
            kept = [r.copy() if any(r is i for i in inputs) else r for r in results]
            for array, result in zip(outputs, kept, strict=True):
                array[...] = result

        return run

    # -- memory --------------------------------------------------------------------

    def _slots(self) -> list[Slot]:
        """All slots, those that inlined launches read among them."""
        return [*self.plan.slots, *(s for launch in self.plan.inlined.values() for s in launch.inputs)]

    def _check(self, storage: Mapping[str, Any]) -> None:
        """Raise TypeError for storage of another type than the plan is for."""
        for slot in self._slots():
            if slot.place == "storage" and storage[slot.key].dtype != element(slot.dtype).host:
                wanted = element(slot.dtype).name
                raise TypeError(f"{slot.key} is stored as {storage[slot.key].dtype}, the plan is for {wanted}")

    def _make_room(self, steps: int) -> None:
        """See to buffers for the feeds and outputs of so many steps; graphs know where the old ones were."""
        if steps <= self._room:
            return
        self._room = steps
        self._graphs.clear()
        self._fed = {key: self._new((steps * one.size,), one) for key, one in self._feeds.items()}
        self._kept = {
            name: self._new((steps * elements(slot),), self._array(slot)) for name, slot in self.plan.outputs.items()
        }

    def _new(self, shape: tuple[int, ...], like: Any) -> Any:
        dtype = element(like.dtype).host if isinstance(like, Slot) else like.dtype
        return self.device.empty(shape, dtype)

    def _array(self, slot: Slot) -> Any:
        match slot.place:
            case "storage":
                array = self._storage[slot.key]
            case "feed":
                array = self._feeds[slot.key]
            case "constant":
                array = self._constants[slot.key]
            case "arena":
                host = element(slot.dtype).host
                array = self._arena[slot.offset : slot.offset + elements(slot) * host.itemsize].view(host)
            case "inline":
                raise ValueError(f"{slot.name} is inlined and has no memory")
        return array.reshape(slot.shape)

    def _address(self, slot: Slot) -> np.uint64:
        return self._at(self._array(slot))

    def _at(self, array: Any) -> np.uint64:
        return np.uint64(self.device.address(array))

    def _entry(self, entry: int) -> np.uint64:
        return np.uint64(self.device.address(self._control) + 4 * entry)


_KINDS: dict[np.dtype[Any], Any] = {element(kind).host: kind for kind in ("real", "index", "uint8")}


class ChunkInFlight:
    """The `Pending` of this backend."""

    def __init__(self, executable: CapturedSteps, steps: int) -> None:
        self._executable = executable
        self._steps = steps
        self._result: Result | None = None

    def result(self) -> Result:
        """See `Pending`."""
        if self._result is None:
            self._result = self._executable.land(self._steps)
        return self._result


class TimedSteps(CapturedSteps):
    """A `TimedExecutable`: nothing is captured, and there are marks around each launch of the plan."""

    resources = Resources(1, "one device")

    def __init__(
        self, plan: Plan, storage: Mapping[str, Any], device: Device, precision: ProductPrecision = "float32"
    ) -> None:
        super().__init__(plan, storage, device, precision)
        self._marks: list[tuple[int, Any, Any]] = []
        self._inside = [[self._marked(i, pieces)] for i, pieces in enumerate(self._inside)]

    def _marked(self, number: int, pieces: Sequence[Bound]) -> Bound:
        def timed() -> None:
            first = self.device.mark()
            for piece in pieces:
                piece.work()
            self._marks.append((number, first, self.device.mark()))

        return Bound(timed, captured=False)

    def spent(self) -> Array:
        """See `TimedExecutable`."""
        self.device.synchronize()
        seconds = np.zeros(len(self.plan.launches))
        for number, first, last in self._marks:
            seconds[number] += self.device.seconds(first, last)
        self._marks.clear()
        return seconds

    def limit(self) -> float:
        """See `TimedExecutable`."""
        from nnctl.backends.limits import product_limit

        return product_limit(1)
