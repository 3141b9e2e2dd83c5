"""From a plan to its entries: which function each launch calls, with which arguments, between which barriers."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from typing import Any

from nnctl.backends.codegen.inlining import Inlining
from nnctl.backends.cpu.codegen.entries import Barrier, Call, Entry, Pattern
from nnctl.backends.cpu.codegen.formulas import write_formula
from nnctl.backends.cpu.codegen.kinds import Kind, kind_of
from nnctl.backends.cpu.codegen.parameters import Parameter
from nnctl.backends.cpu.codegen.runs import Run, blocks_of, runs_of
from nnctl.backends.cpu.codegen.vocabulary import vocabulary
from nnctl.backends.cpu.codegen.writer import Writer, is_private
from nnctl.backends.cpu.division import DividedLaunch, Division, division_of
from nnctl.backends.cpu.kernels import EMITTERS
from nnctl.graph.ir import Graph
from nnctl.graph.views import VIEWS
from nnctl.late import dataclass
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.plan.plan import Launch, Plan, Slot

_NOT_IN_CODE = frozenset(("op", "inputs", "outputs", "attributes", "layer", "flops", "bytes", "phase", "form"))
"""Fields of a launch that its code does not depend on, or that are looked at by themselves."""
_IN_CODE = tuple(f.name for f in fields(DividedLaunch) if f.name not in _NOT_IN_CODE)


@dataclass(frozen=True)
class StepSource:
    """The entries of a step, in order, and what they need.

    scratch: floats for each thread. private: offsets of numbers that each thread has for itself. plan: that of the
    step, None for one without launches.
    """

    entries: tuple[Entry, ...]
    scratch: int
    private: tuple[int, ...]
    plan: Plan | None = None

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The runs of entries that can go through a few examples at a time."""
        return () if self.plan is None else runs_of(self.entries, self.plan)

    def runs_on(self, threads: int) -> tuple[Run, ...]:
        """Those that do so where so many threads share the step."""
        return self.runs if self.plan is not None and blocks_of(self.plan.batch, threads) > 1 else ()

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """The different functions, in order of first use."""
        patterns = dict.fromkeys(entry.pattern for entry in self.entries if isinstance(entry, Call))
        return tuple(dict.fromkeys(pattern.kind for pattern in patterns))

    def keys(self, place: str) -> tuple[str, ...]:
        """The keys of the slots of one place that anything reads or writes."""
        having: dict[Pattern, list[int]] = {}
        """By patterns, whose slots are alike in their place, the numbers of the slots that are."""
        found: dict[str, None] = {}
        for entry in self.entries:
            if isinstance(entry, Call):
                pattern = entry.pattern
                if pattern not in having:
                    having[pattern] = [n for p, n in pattern.arrays if p.of != "output" and p.slot.place == place]
                found |= dict.fromkeys([entry.slots[number].key for number in having[pattern]])
        return tuple(found)


def missing(graph: Graph) -> tuple[str, ...]:
    """The names of a graph's ops that have no generated code."""
    found = {
        node.op.name
        for node in graph.nodes
        # What reads nothing is computed once, by the reference bodies.
        if not isinstance(node.op, ElementwiseOp) and node.inputs and node.op.name not in VIEWS
    }
    return tuple(sorted(found.difference(EMITTERS)))


def generate(plan: Plan) -> StepSource:
    """The entries of a plan. Raises ValueError for an op that has no generated code."""
    return _Generator(plan).run()


class _Generator:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.inlining = Inlining(plan.inlined)
        self.reserved = (*keyword.kwlist, *vocabulary())
        self.private: set[int] = set()
        """Offsets of the numbers that each thread has for itself at this point."""
        self.ever_private: dict[int, None] = {}
        self.entries: list[Entry] = []
        self.written: dict[tuple[Any, ...], Pattern] = {}
        """Patterns of the calls so far, by what code can know of their launches."""
        self.forms: dict[tuple[object, Division], int] = {}
        self.described: dict[tuple[Any, ...], int] = {}
        """Numbers of what was looked at so far: see `_numbered`."""
        self.scratch = 1

    def run(self) -> StepSource:
        plan, phase = self.plan, 0
        for position, launch in enumerate(plan.launches):
            if position == plan.guarded:
                self._guard()
            if launch.phase != phase:
                self.entries.append(Barrier())
            phase = launch.phase
            division = division_of(launch)
            self._begin(launch, division)
            self._launch(launch, division, position)
        if plan.guarded == len(plan.launches):
            self._guard()
        self._results()
        return StepSource(tuple(self.entries), self.scratch, tuple(self.ever_private), plan)

    def _writer(self, *, in_halves: bool = False) -> Writer:
        return Writer(self.plan.batch, frozenset(self.private), self.reserved, in_halves=in_halves)

    def _begin(self, launch: Launch, division: Division) -> None:
        """Begin a launch: a number that each thread makes for itself lies in memory of its own."""
        if not self.private and division != "private":
            return
        for slot in launch.outputs:
            if slot.place == "arena":
                self.private.discard(slot.offset)
                if division == "private":
                    self.private.add(slot.offset)
                    self.ever_private[slot.offset] = None

    def _launch(self, launch: Launch, division: Division, position: int) -> None:
        """Append the call of a launch: that of an earlier one, where they differ in where their slots lie alone."""
        slots = (*launch.outputs, *launch.inputs)
        inlining = "inline" in [slot.place for slot in slots]
        if inlining:
            slots = tuple(self.inlining.slots(launch))
        # Launches of a form are alike in all but their memory, and in what is inlined in them.
        key = (launch.form, division) if launch.form is not None and not inlining else None
        described = self.forms.get(key) if key is not None else None
        if described is None:
            described = self._numbered(launch, slots)
            if key is not None:
                self.forms[key] = described
        like = described, *self._sharing(slots)
        pattern = self.written.get(like)
        if pattern is None:
            writer = self._writer(in_halves=division == "halves")
            _emit(writer, launch, self.inlining)
            pattern = self.written[like] = self._pattern(writer, slots)
        self.entries.append(Call(pattern, slots, division == "one", position))

    def _numbered(self, launch: Launch, slots: Sequence[Slot]) -> int:
        """The number of all that code can know of a launch but where its slots lie."""
        described = tuple(self._described(launch, slots))
        return self.described.setdefault(described, len(self.described))

    def _described(self, launch: Launch, slots: Sequence[Slot]) -> Iterator[Any]:
        yield launch.op.identity
        yield from [getattr(launch, name) for name in _IN_CODE]
        yield from sorted(launch.attributes.items())
        for slot in slots:
            if slot.place == "inline":
                inner = self.inlining.launch(slot)
                yield inner.op.identity, *sorted(inner.attributes.items())
            yield slot.place == "inline", slot.shape, slot.dtype, slot.batched

    def _sharing(self, slots: tuple[Slot, ...]) -> tuple[Any, ...]:
        """All that code can know of where slots lie: which are one, share their memory, or are each thread's own."""
        memory = [(slot.place, slot.key, slot.offset) for slot in slots]
        private = [i for i, slot in enumerate(slots) if is_private(slot, self.private)] if self.private else ()
        places = tuple([place for place, _, _ in memory])
        return places, tuple(map(slots.index, slots)), tuple(map(memory.index, memory)), tuple(private)

    def _pattern(self, writer: Writer, slots: tuple[Slot, ...]) -> Pattern:
        kind, passed = _kind(tuple(writer.body), writer.parameters)
        self.scratch = max(self.scratch, writer.scratch)
        return Pattern(kind, passed, slots)

    def _call(self, writer: Writer, slots: tuple[Slot, ...], *, alone: bool) -> None:
        """Append a call that belongs to no launch."""
        self.entries.append(Call(self._pattern(writer, slots), slots, alone, None))

    def _guard(self) -> None:
        """Let each thread leave where the cost is no number."""
        if self.plan.guard is None:
            return
        writer = self._writer()
        with writer.block(f"if not math.isfinite({writer.scalar(self.plan.guard)}):"):
            writer.line("return 1")
        writer.line("return 0")
        self._call(writer, (self.plan.guard,), alone=False)

    def _results(self) -> None:
        """The outputs' entries of this step, then updates that could not be made in place.

        In this order: an output may be an old value that a copy replaces.
        """
        plan = self.plan
        writer = self._writer()
        if plan.copies or not all(writer.is_private(slot) for slot in plan.outputs.values()):
            self.entries.append(Barrier())
        copied: list[tuple[Slot, str | Slot]] = [*((s, name) for name, s in plan.outputs.items()), *plan.copies]
        for slot, to in copied:
            writer = self._writer()
            target = writer.output(to, slot) if isinstance(to, str) else writer.view(to, "full")
            writer.line(f"copy({writer.view(slot, 'full')}, {target})")
            self._call(writer, (slot, to) if isinstance(to, Slot) else (slot,), alone=True)
        self.entries.append(Barrier())


def _kind(lines: Sequence[str], parameters: Mapping[str, Parameter]) -> tuple[Kind, tuple[Parameter, ...]]:
    return kind_of(lines, parameters, frozenset(vocabulary()))


def _emit(writer: Writer, launch: Launch, inlining: Inlining) -> None:
    if isinstance(launch.op, ElementwiseOp):
        write_formula(writer, launch, inlining)
        return
    emitter = EMITTERS.get(launch.op.name)
    if emitter is None:
        raise ValueError(f"op {launch.op.name} has no generated code")
    if emitter.scratch is not None:
        writer.needs_scratch(emitter.scratch(launch))
    emitter.write(writer, launch)
