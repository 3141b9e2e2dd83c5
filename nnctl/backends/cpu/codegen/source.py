"""From a plan to the source of one function that runs many training steps."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from dataclasses import dataclass

from nnctl.backends.codegen.arguments import Names, label
from nnctl.backends.codegen.inlining import Inlining
from nnctl.backends.cpu.codegen.formulas import write_formula
from nnctl.backends.cpu.codegen.imports import import_block, known_names, modules_of
from nnctl.backends.cpu.codegen.sharing import Block, share
from nnctl.backends.cpu.codegen.writer import LOOP_VARIABLES, Writer
from nnctl.backends.cpu.division import division_of
from nnctl.backends.cpu.kernels import EMITTERS
from nnctl.graph.ir import Graph
from nnctl.graph.views import VIEWS
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.plan.plan import Launch, Plan

_ARGUMENTS = (
    "thread", "threads", "steps", "batch", "counters", "clock", "arena", "arena_index", "arena_uint8", "all_scratch",
    "offsets", "numbers",
)  # fmt: skip
_OF_A_STEP = ("run", "step", "row", "scratch", "began", "spent", *LOOP_VARIABLES)
"""Variables that the text has without asking for a fresh name."""
_BARRIER = "barrier(counters, threads)"


@dataclass(frozen=True)
class StepSource:
    """A generated function and what its arguments mean.

    run(thread, threads, steps, batch, counters, clock, arena, arena_index, arena_uint8,
    all_scratch, offsets, numbers, feeds…, storage…, constants…, outputs…) -> steps completed.
    counters: of the barrier. offsets: of the arena's slots, in elements. numbers: constants of
    the formulas. feeds, storage, constants: keys in the order of the arguments. labels: of each
    launch, where the function keeps time. scratch: floats that each thread needs.
    """

    text: str
    offsets: tuple[int, ...]
    numbers: tuple[float, ...]
    feeds: tuple[str, ...]
    storage: tuple[str, ...]
    constants: tuple[str, ...]
    outputs: tuple[str, ...]
    labels: tuple[str, ...]
    scratch: int


def missing(graph: Graph) -> tuple[str, ...]:
    """The names of a graph's ops that have no generated code."""
    found = {
        node.op.name
        for node in graph.nodes
        # What reads nothing is computed once, by the reference bodies.
        if not isinstance(node.op, ElementwiseOp) and node.inputs and node.op.name not in VIEWS
    }
    return tuple(sorted(found.difference(EMITTERS)))


def generate(plan: Plan, *, timed: bool = False) -> StepSource:
    """The function of a plan.

    timed: it adds up in `clock` the processor's cycles that thread 0 spends on each launch.
    Raises ValueError for an op that has no generated code.
    """
    known = known_names()
    writer = Writer(plan, Names([*keyword.kwlist, *known, *_ARGUMENTS, *_OF_A_STEP]))
    parts = _parts(writer, plan, timed)
    definitions, blocks = share([p for p in parts if isinstance(p, Block)], known)
    shared = iter(blocks)
    body = [line for part in parts for line in (next(shared) if isinstance(part, Block) else part)]
    writer.body.clear()
    _results(writer, plan)
    arguments = writer.arguments
    lines = [
        *definitions,
        f"def run({', '.join([*_ARGUMENTS, *arguments.names()])}):",
        "    scratch = window1(all_scratch, thread * (all_scratch.size // threads), all_scratch.size // threads)",
        *writer.views(),
        "    for step in range(steps):",
        *writer.step_views(),
        *(f"        {line}" for line in [*body, *writer.body]),
        "    return steps",
        "",
    ]
    imports = import_block(lines, modules_of(launch.op.name for launch in plan.launches))
    title = f'"""The step {plan.name!r}: many of them, each shared by the threads."""'
    return StepSource(
        text="\n".join([title, "", *imports, "", "", *lines]),
        offsets=tuple(arguments.offsets),
        numbers=tuple(arguments.numbers),
        feeds=tuple(arguments.feeds),
        storage=tuple(arguments.storage),
        constants=tuple(arguments.constants),
        outputs=tuple(arguments.outputs),
        labels=tuple(label(launch) for launch in plan.launches),
        scratch=writer.scratch,
    )


def _parts(writer: Writer, plan: Plan, timed: bool) -> list[Block | tuple[str, ...]]:
    """The step launch by launch: blocks that may be shared, and lines between them."""
    parts: list[Block | tuple[str, ...]] = []
    inlining = Inlining(plan.inlined)
    phase = 0
    for position, launch in enumerate(plan.launches):
        writer.body.clear()
        if position == plan.guarded:
            _guard(writer, plan)
        if launch.phase != phase:
            writer.line(_BARRIER)
        phase = launch.phase
        writer.line(f"# {label(launch)}")
        if timed:
            writer.line("began = cycle_counter()")
        parts.append(tuple(writer.body))
        writer.body.clear()
        writer.begin(launch)
        _launch(writer, launch, inlining)
        # What is private to a thread lives in variables of the step.
        private = division_of(launch) == "private"
        parts.append(tuple(writer.body) if private else Block(launch.op.name, tuple(writer.body)))
        if timed:
            parts.append(("spent = cycle_counter() - began", "if thread == 0:", f"    clock[{position}] += spent"))
    writer.body.clear()
    if plan.guarded == len(plan.launches):
        _guard(writer, plan)
    parts.append(tuple(writer.body))
    return parts


def _launch(writer: Writer, launch: Launch, inlining: Inlining) -> None:
    if division_of(launch) != "one":
        _emit(writer, launch, inlining)
        return
    with writer.block("if thread == 0:"):
        _emit(writer, launch, inlining)


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


def _guard(writer: Writer, plan: Plan) -> None:
    if plan.guard is None:
        return
    cost = writer.scalar(plan.guard)
    with writer.block(f"if not math.isfinite({cost}):"):
        writer.line("return step")


def _results(writer: Writer, plan: Plan) -> None:
    """The outputs' entries of this step, then updates that could not be made in place.

    In this order: an output may be an old value that a copy replaces.
    """
    outputs: Mapping[str, str] = writer.arguments.outputs
    if plan.copies or not all(writer.is_variable(slot) for slot in plan.outputs.values()):
        writer.line(_BARRIER)
    if plan.copies or plan.outputs:
        with writer.block("if thread == 0:"):
            for name, slot in plan.outputs.items():
                if slot.shape == ():
                    writer.line(f"{outputs[name]}[step] = {writer.scalar(slot)}")
                else:
                    size = writer.size(slot)
                    target = f"window1({outputs[name]}, step * {size}, {size})"
                    writer.line(f"copy({writer.view(slot, 'full')}, {target})")
            for new, old in plan.copies:
                writer.line(f"copy({writer.view(new, 'full')}, {writer.view(old, 'full')})")
    writer.line(_BARRIER)
