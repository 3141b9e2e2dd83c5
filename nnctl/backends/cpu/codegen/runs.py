"""Runs of launches between two barriers that a thread goes through a few examples at a time.

What one launch makes of these images is still in the second cache when the next reads it, and what no launch outside
the run reads never leaves it: it lies in memory of the thread's own, where the next examples' takes its place. Threads
need nothing of one another there, and every launch treats each example by itself, so no bit depends on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from nnctl.backends.cpu.codegen.entries import Call, Entry
from nnctl.backends.cpu.codegen.parameters import ArrayParameter
from nnctl.backends.cpu.division import division_of
from nnctl.backends.cpu.kernels import EMITTERS
from nnctl.late import dataclass
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.plan.plan import Launch, Plan, Slot

_EXAMPLES = 8
"""Examples that are gone through together, at least: a product's tile has as many rows."""
_MOST_BLOCKS = 32
"""Times that a thread goes through a run in a step, at most: each has lines of its own in the table."""
_WEIGHTS = 1 << 16
"""Numbers of a launch's weights, at most: each block of examples prepares them again, or reads them anew."""
_IMAGES = ("convolution", "convolution_transpose")


@dataclass(frozen=True)
class Local:
    """A buffer that nothing outside a run reads. first, last: entries that it is kept for. size: bytes an example."""

    first: int
    last: int
    size: int


@dataclass(frozen=True)
class Run:
    """Entries `first` to `last` − 1 of a step. local: by the place in the arena."""

    first: int
    last: int
    batch: int
    local: tuple[tuple[int, Local], ...]

    def blocks(self, threads: int) -> int:
        """Blocks of examples of each of so many threads; 1 where all are gone through together."""
        return blocks_of(self.batch, threads)

    def examples(self, threads: int) -> int:
        """Examples of a block, at most."""
        return -(-self.batch // (threads * self.blocks(threads)))


def blocks_of(batch: int, threads: int) -> int:
    """See `Run.blocks`."""
    return max(1, min(_MOST_BLOCKS, batch // threads // _EXAMPLES))


def runs_of(entries: Sequence[Entry], plan: Plan) -> tuple[Run, ...]:
    """The runs of a step: of launches divided by examples, with a convolution among them."""
    if not any(launch.op.name in _IMAGES for launch in plan.launches):
        return ()
    known: dict[object, bool] = {}
    touched = [_Touched(entry, plan, known) for entry in entries]
    ranges: list[tuple[int, int]] = []
    place = 0
    for fits, group in groupby(touched, lambda one: one.fits):
        members = list(group)
        first, place = place, place + len(members)
        if fits and len(members) > 1 and any(one.launch and one.launch.op.name in _IMAGES for one in members):
            ranges.append((first, place))
    found: list[Run] = []
    behind = len(touched)
    read_behind: set[int] = set()
    for first, end in reversed(ranges):
        for one in reversed(touched[end:behind]):
            read_behind -= one.made
            read_behind |= one.read
        behind = end
        found.append(Run(first, end, plan.batch, tuple(_local(touched, first, end, plan.batch, read_behind))))
    return tuple(reversed(found))


class _Touched:
    """The buffers of the arena that an entry touches, by their places: those read, and those written without it.

    fits: whether its launch fits into a run. known: which do, of those looked at so far.
    """

    __slots__ = ("call", "fits", "launch", "made", "read")

    def __init__(self, entry: Entry, plan: Plan, known: dict[object, bool]) -> None:
        call = self.call = entry if isinstance(entry, Call) else None
        launch = self.launch = plan.launches[call.launch] if call is not None and call.launch is not None else None
        slots = () if call is None else call.slots
        # A call's first slots are what its launch makes.
        made = 0 if launch is None else len(launch.outputs)
        self.read = {slot.offset for slot in slots[made:] if slot.place == "arena"}
        self.made = {slot.offset for slot in slots[:made] if slot.place == "arena"} - self.read
        self.fits = False
        if call is not None and launch is not None:
            # Launches of a pattern differ in their memory alone.
            if call.pattern not in known:
                known[call.pattern] = _fits(launch)
            self.fits = known[call.pattern]


def _fits(launch: Launch) -> bool:
    """True for a launch that is no slower where it treats few examples at a time."""
    if division_of(launch) != "rows":
        return False
    if isinstance(launch.op, ElementwiseOp):
        return True
    emitter = EMITTERS[launch.op.name]
    return not emitter.scans and all(math.prod(launch.inputs[i].shape) <= _WEIGHTS for i in emitter.full)


def _local(
    touched: Sequence[_Touched], first: int, end: int, batch: int, read_behind: set[int]
) -> Iterator[tuple[int, Local]]:
    """The buffers of a run that nothing else reads before they hold something else.

    read_behind: places that an entry behind the run reads before another makes something else there.
    """
    uses: dict[int, list[int]] = {}
    arrays: dict[int, list[tuple[ArrayParameter, Slot]]] = {}
    for number in range(first, end):
        one = touched[number]
        for place in one.read | one.made:
            uses.setdefault(place, []).append(number)
        for parameter, slot in one.call.arrays() if one.call is not None else ():
            if parameter.of == "slot" and slot.place == "arena":
                arrays.setdefault(slot.offset, []).append((parameter, slot))
    for number in range(first, end):
        for place in touched[number].made:
            if uses[place][0] != number or place in read_behind:
                continue
            there = arrays.get(place, [])
            if all(p.cut is not None and slot.batched and not p.private for p, slot in there):
                size = max(math.prod(slot.shape) * p.element.bits // 8 // batch for p, slot in there)
                yield place, Local(number, uses[place][-1], size)
