"""A plan on a device, launch by launch: its calls bound to its memory, its steps captured into graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.contract import Alternative, Resources
from nnctl.backends.cuda.bookkeeping import LIVE, STEP, keep_outputs, keep_outputs_and_count, take_feeds
from nnctl.backends.cuda.branches import branches_of, phases_of
from nnctl.backends.cuda.calls import THREADS, Call, ProductPrecision, blocks_for, elements
from nnctl.backends.cuda.chunks import MarkedWork, StepsOnDevice
from nnctl.backends.cuda.codegen.functions import DeviceFunction, function, generated_unit, parsed
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.product_library import LibraryCall, NoAlgorithm, Piece, asks_library, pieces_of
from nnctl.late import dataclass
from nnctl.ops.namespaces import RealNamespace
from nnctl.plan.plan import Launch, Plan, Slot

Work = Callable[[], None]

_STEPS_A_GRAPH = 16
"""Steps that one graph holds: to launch it costs as much as a small step takes."""


@dataclass(frozen=True)
class Bound:
    """A piece of a step. captured: whether a graph can hold it; launches on the host's side cannot be."""

    work: Work
    captured: bool


class CapturedSteps(StepsOnDevice):
    """Steps as launches in graphs, with reference bodies between them where an op has no kernel."""

    def __init__(self, way: CapturedWay, storage: Mapping[str, Any], device: Device) -> None:
        super().__init__(way.plan, storage, device)
        self._loaded: dict[DeviceFunction, Any] = {}
        self.pieces = way.pieces(device)
        self._inside = [self._bound(i, of_launch) for i, of_launch in enumerate(self.pieces)]
        self._graphs: dict[int, list[Work]] = {}

    def moved(self) -> None:
        """See `StepsOnDevice`."""
        self._graphs.clear()

    def run(self, steps: int) -> MarkedWork:
        """See `StepsOnDevice`."""
        first = self.device.mark()
        while steps:
            many = _STEPS_A_GRAPH if steps >= _STEPS_A_GRAPH else 1
            if many not in self._graphs:
                self._graphs[many] = list(self._captured(list(self._step()) * many))
            for work in self._graphs[many]:
                work()
            steps -= many
        return MarkedWork(self.device, first, self.device.mark())

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
        return self.device.capture(_in_order(works))

    def _step(self) -> Iterator[Bound]:
        """The pieces of a step."""
        plan, memory = self.plan, self.memory
        fed = [(slot, memory.fed[key], memory.entries[key]) for key, slot in memory.feeds.items()]
        yield from self._copies(take_feeds, fed)
        for phase in phases_of(plan):
            if phase[0] == plan.guarded:
                yield from self._guard()
            yield from self._phase(phase)
        if plan.guarded == len(plan.launches):
            yield from self._guard()
        kept = [(slot, memory.array(slot), memory.kept[name]) for name, slot in plan.outputs.items()]
        counts = 0 < max((elements(slot) for slot, _, _ in kept), default=0) <= THREADS
        yield from self._copies(keep_outputs_and_count if counts else keep_outputs, kept)
        for new, old in plan.copies:
            copy = function("steps.cu", f"copy_{new.dtype}")
            yield from self._pieces(-1, [Call(copy, blocks_for(elements(new)), (new, old, elements(new)))])
        if not counts:
            yield self._launched(function("steps.cu", "count_step"), 1, 0, [memory.entry(STEP)])

    def _phase(self, launches: Sequence[int]) -> Iterator[Bound]:
        """The pieces of a phase: one of all branches where a graph can hold them, else one after another."""
        pieces = [piece for number in launches for piece in self._inside[number]]
        if not all(piece.captured for piece in pieces):
            yield from pieces
            return
        branches = branches_of({number: self.pieces[number] or () for number in launches if self._inside[number]})
        if len(branches) < 2:
            yield from pieces
            return
        works = [_in_order([piece.work for i in branch for piece in self._inside[i]]) for branch in branches]
        yield Bound(lambda: self.device.in_branches(works), captured=True)

    def _guard(self) -> Iterator[Bound]:
        if self.plan.guard is not None:
            check, memory = function("steps.cu", "check_guard"), self.memory
            yield self._launched(check, 1, 0, [memory.at(memory.array(self.plan.guard)), memory.entry(LIVE)])

    def _copies(self, text: Callable[..., str], copied: Sequence[tuple[Slot, Any, Any]]) -> Iterator[Bound]:
        """One launch that copies slots of this step between what the chunk has of all steps and what the step has."""
        if not copied:
            return
        kinds = tuple(slot.dtype for slot, _, _ in copied)
        unit = generated_unit(f"the ends of {self.plan.name!r}", [text(kinds)])
        (copies,) = parsed(unit).values()
        given: list[Any] = [self.memory.entry(STEP)]
        sizes = []
        for slot, source, target in copied:
            sizes.append(elements(slot))
            given += [self.memory.at(source), self.memory.at(target), np.int32(sizes[-1])]
        if any(sizes):
            yield self._launched(copies, blocks_for(max(sizes)), 0, given)

    # -- binding -------------------------------------------------------------------

    def _bound(self, number: int, pieces: Sequence[Piece] | None) -> list[Bound]:
        if pieces is not None:
            return list(self._pieces(number, pieces))
        return [Bound(self._reference(self.plan.launches[number]), captured=False)]

    def _pieces(self, number: int, pieces: Sequence[Piece]) -> Iterator[Bound]:
        for piece in pieces:
            if isinstance(piece, LibraryCall):
                yield from self._by_library(number, piece)
            elif piece.instead and not self._fits(piece):
                yield from self._pieces(number, piece.instead)
            elif piece.blocks:
                given = [self.memory.given(number, argument) for argument in piece.arguments]
                yield self._launched(piece.function, piece.blocks, piece.shared, given, piece.cooperative)

    def _by_library(self, number: int, call: LibraryCall) -> Iterator[Bound]:
        addresses = [int(self.memory.given(number, each)) for each in call.arrays]
        try:
            work = call.library.prepared(call.product, *addresses)
        except NoAlgorithm:
            if not call.instead:
                raise
            yield from self._pieces(number, call.instead)
        else:
            yield Bound(work, captured=True)

    def _fits(self, call: Call) -> bool:
        """True where the device has the room for a call."""
        most = self.device.blocks_together(self._load(call.function), THREADS, call.shared)
        return most >= (call.blocks if call.cooperative else 1)

    def _launched(
        self, called: DeviceFunction, blocks: int, shared: int, given: Sequence[Any], cooperative: bool = False
    ) -> Bound:
        loaded, arguments = self._load(called), (self.memory.entry(LIVE), *given)
        return Bound(lambda: self.device.launch(loaded, blocks, THREADS, shared, arguments, cooperative), captured=True)

    def _load(self, called: DeviceFunction) -> Any:
        if called not in self._loaded:
            self._loaded[called] = self.device.load(called)
        return self._loaded[called]

    def _reference(self, launch: Launch) -> Work:
        """The reference body of a launch on the device's arrays, unless a guard has stopped the chunk."""
        inputs = [self.memory.array(slot) for slot in launch.inputs]
        outputs = [self.memory.array(slot) for slot in launch.outputs]
        xp = RealNamespace(self.device.arrays)

        def run() -> None:
            if not int(self.device.download(self.memory.control)[LIVE]):
                return
            with self.device.current(), np.errstate(all="ignore"):
                results = launch.op.run(xp, inputs, launch.attributes)
                kept = [r.copy() if any(r is i for i in inputs) else r for r in results]
                for array, result in zip(outputs, kept, strict=True):
                    array[...] = result

        return run


class CapturedWay:
    """Captured launches as a way to run a plan, whose products are of that precision."""

    function: None = None
    alike: None = None

    def __init__(self, plan: Plan, precision: ProductPrecision = "float32") -> None:
        self.plan = plan
        self._precision = precision
        self._pieces: list[Sequence[Piece] | None] | None = None

    def pieces(self, device: Device) -> list[Sequence[Piece] | None]:
        """The pieces of each launch on a device. Those that ask a library are of its own: its memory is a stream's."""
        if self._pieces is not None:
            return self._pieces
        pieces = pieces_of(self.plan, self._precision, device.products)
        if not asks_library(pieces):
            self._pieces = pieces
        return pieces

    def rows(self, device: Device) -> None:
        """None: everybody's launches run beside each other's, as far as there is room."""

    def steps(self, storage: Mapping[str, Any], device: Device) -> CapturedSteps:
        """The steps over a storage."""
        return CapturedSteps(self, storage, device)

    def steps_apart(self, storages: Sequence[Mapping[str, Any]], device: Device) -> list[CapturedSteps]:
        """The steps over some storages, each by itself."""
        return [CapturedSteps(self, storage, device) for storage in storages]


class TimedSteps(CapturedSteps):
    """A `TimedExecutable`: nothing is captured, and there are marks around each launch of the plan."""

    resources = Resources(1, "one device")

    def __init__(self, way: CapturedWay, storage: Mapping[str, Any], device: Device) -> None:
        super().__init__(way, storage, device)
        self._marks: list[tuple[int, Any, Any]] = []
        self._inside = [[self._marked(i, pieces)] if pieces else [] for i, pieces in enumerate(self._inside)]
        self._shares = [_shares(i, of_launch) for i, of_launch in enumerate(self.pieces)]

    def _marked(self, number: int, pieces: Sequence[Bound]) -> Bound:
        def timed() -> None:
            first = self.device.mark()
            for piece in pieces:
                piece.work()
            self._marks.append((number, first, self.device.mark()))

        return Bound(timed, captured=False)

    def spent(self) -> NDArray[Any]:
        """See `TimedExecutable`."""
        self.device.synchronize()
        seconds = np.zeros(len(self.plan.launches))
        for number, first, last in self._marks:
            took = self.device.seconds(first, last)
            for launch, share in self._shares[number].items():
                seconds[launch] += share * took
        self._marks.clear()
        return seconds

    def elsewhere(self) -> frozenset[int]:
        """See `TimedExecutable`: what a product of the library makes beside it, of which nobody knows the share."""
        timed = (number for number, pieces in enumerate(self.pieces) if pieces is None or pieces)
        return frozenset(range(len(self.pieces))).difference(*(self._shares[number] for number in timed))

    def limit(self) -> float:
        """See `TimedExecutable`."""
        return self.device.product_limit()

    def chosen_from(self) -> Sequence[Alternative]:
        """See `TimedExecutable`: nothing was to be chosen."""
        return ()


def _in_order(works: Sequence[Work]) -> Work:
    def all_of_them() -> None:
        for work in works:
            work()

    return all_of_them


def _shares(number: int, pieces: Sequence[Piece] | None) -> dict[int, float]:
    """The launches that share the time of a launch's pieces, each with its share."""
    for piece in pieces or ():
        if isinstance(piece, Call) and piece.shares:
            whole = sum(share for _, share in piece.shares)
            return {launch: share / whole for launch, share in piece.shares}
    return {number: 1.0}
