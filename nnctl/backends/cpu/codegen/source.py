"""From a plan to the source of one function that runs many training steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nnctl.backends.cpu.codegen.formulas import write_formula
from nnctl.backends.cpu.codegen.sharing import Block, share
from nnctl.backends.cpu.codegen.writer import Writer
from nnctl.backends.cpu.division import division_of
from nnctl.backends.cpu.kernels.emitters import EMITTERS
from nnctl.graph.ir import Graph
from nnctl.graph.views import VIEWS
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.plan.plan import Launch, Plan, Slot

_IMPORTS = """import math

from nnctl.backends.cpu.codegen.intrinsics import barrier, gemm, prefetch, ticks, window1, window2, window3, window4
from nnctl.backends.cpu.kernels.grouped_convolution import (
    convolution_apart, convolution_kernel_apart, convolution_transpose_apart,
)
from nnctl.backends.cpu.kernels.convolution import (
    convolution, convolution_kernel, convolution_transpose, max_pool, maximum_place, put_into_windows, spread_pool,
    sum_pool,
)
from nnctl.backends.cpu.kernels.gru import gru, gru_gradient, gru_gradient_reset_before, gru_reset_before
from nnctl.backends.cpu.kernels.library import (
    argmax, compiled, copy, fill, in_top_k, label_weight, log_likelihood, log_likelihood_weighted, normal, one_hot,
    softmax, softmax_log_likelihood, softmax_log_likelihood_weighted, target_distribution, total, uniform,
)
from nnctl.backends.cpu.codegen.mathematics import F, erf, exp, expm1, log, log1p, power, sign, tanh
from nnctl.backends.cpu.kernels.recurrence import leaky_rnn, lstm, lstm_gradient, rnn, rnn_gradient
from nnctl.backends.cpu.kernels.resampling import interpolate, interpolate_transpose
from nnctl.backends.cpu.kernels.embedding import add_rows, differs, lookup
"""
_ARGUMENTS = (
    "thread", "threads", "steps", "batch", "meeting", "clock", "arena", "arena_index", "arena_uint8", "all_room",
    "offsets", "numbers",
)  # fmt: skip
_SHARED_NAMES = frozenset([*re.findall(r"\w+", _IMPORTS), "range", "abs", "min", "max", "size", "shape"])
"""Names that mean the same inside a function that blocks share."""
_MEET = "barrier(meeting, threads)"
_RESERVED = frozenset(
    re.findall(r"\w+", _IMPORTS)
    + list("ijklmn")
    + ["run", "step", *_ARGUMENTS]
    + ["abs", "min", "max", "range", "row", "room", "began", "spent"]
)


@dataclass(frozen=True)
class Source:
    """A generated function and what its arguments mean.

    run(thread, threads, steps, batch, meeting, clock, arena, arena_index, arena_uint8,
    all_room, offsets, numbers, feeds…, storage…, constants…, outputs…) -> steps completed.
    offsets: of the arena's slots, in elements. numbers: constants of the formulas.
    feeds, storage, constants: keys in the order of the arguments. labels: of each
    launch, where the function keeps time.
    """

    text: str
    offsets: tuple[int, ...]
    numbers: tuple[float, ...]
    feeds: tuple[str, ...]
    storage: tuple[str, ...]
    constants: tuple[str, ...]
    outputs: tuple[str, ...]
    labels: tuple[str, ...]
    room: int
    """Floats of scratch that each thread needs."""


def unsupported(graph: Graph) -> tuple[str, ...]:
    """The names of a graph's ops that have no generated code."""
    found = {
        node.op.name
        for node in graph.nodes
        # What reads nothing is computed once, by the reference bodies.
        if not isinstance(node.op, ElementwiseOp) and node.inputs and node.op.name not in VIEWS
    }
    return tuple(sorted(found.difference(EMITTERS)))


def generate(plan: Plan, *, timed: bool = False) -> Source:
    """The function of a plan.

    timed: it adds up the clock ticks of each launch of thread 0 in `clock`.
    Raises ValueError for an op that has no generated code.
    """
    writer = Writer(plan)
    writer.reserve(_RESERVED)
    outputs = {name: writer.fresh(f"all_{name}") for name in plan.outputs}
    parts = _parts(writer, plan, timed)
    definitions, blocks = share([p for p in parts if isinstance(p, Block)], _SHARED_NAMES)
    placed = iter(blocks)
    body = [line for part in parts for line in (next(placed) if isinstance(part, Block) else part)]
    writer.body.clear()
    _results(writer, plan, outputs)
    arguments = [*writer.feeds.values(), *writer.storage.values(), *writer.constants.values(), *outputs.values()]
    text = "\n".join(
        [
            f'"""The step {plan.name!r}: many of them, each shared by the threads."""',
            "",
            _IMPORTS,
            "",
            *definitions,
            f"def run({', '.join([*_ARGUMENTS, *arguments])}):",
            "    room = window1(all_room, thread * (all_room.size // threads), all_room.size // threads)",
            *writer.views(),
            "    for step in range(steps):",
            *writer.step_views(),
            *(f"        {line}" for line in [*body, *writer.body]),
            "    return steps",
            "",
        ]
    )
    return Source(
        text,
        tuple(writer.offsets),
        tuple(writer.numbers),
        tuple(writer.feeds),
        tuple(writer.storage),
        tuple(writer.constants),
        tuple(plan.outputs),
        tuple(_label(launch) for launch in plan.launches),
        writer.room,
    )


def _parts(writer: Writer, plan: Plan, timed: bool) -> list[Block | tuple[str, ...]]:
    """The step launch by launch: blocks that may be shared, and lines between them."""
    parts: list[Block | tuple[str, ...]] = []
    phase = 0
    for position, launch in enumerate(plan.launches):
        writer.body.clear()
        if position == plan.guarded:
            _guard(writer, plan)
        if launch.phase != phase:
            writer.line(_MEET)
        phase = launch.phase
        writer.line(f"# {_label(launch)}")
        if timed:
            writer.line("began = ticks()")
        parts.append(tuple(writer.body))
        writer.body.clear()
        writer.begin(launch)
        _launch(writer, launch, plan)
        # What is private to a thread lives in variables of the step.
        private = division_of(launch) == "private"
        parts.append(tuple(writer.body) if private else Block(launch.op.name, tuple(writer.body)))
        if timed:
            parts.append(("spent = ticks() - began", "if thread == 0:", f"    clock[{position}] += spent"))
    writer.body.clear()
    if plan.guarded == len(plan.launches):
        _guard(writer, plan)
    parts.append(tuple(writer.body))
    return parts


def _label(launch: Launch) -> str:
    outputs = ", ".join(f"{s.name} ({_shape(s)})" for s in launch.outputs)
    return f"{outputs} = {launch.op.name}({', '.join(s.name for s in launch.inputs)})"


def _shape(slot: Slot) -> str:
    dims = [*(["batch"] if slot.batched else []), *map(str, slot.shape[1:] if slot.batched else slot.shape)]
    return "×".join(dims) or "1"


def _launch(writer: Writer, launch: Launch, plan: Plan) -> None:
    if division_of(launch) != "one":
        _emit(writer, launch, plan)
        return
    with writer.block("if thread == 0:"):
        _emit(writer, launch, plan)


def _emit(writer: Writer, launch: Launch, plan: Plan) -> None:
    if isinstance(launch.op, ElementwiseOp):
        write_formula(writer, launch, dict(plan.inlined))
        return
    emitter = EMITTERS.get(launch.op.name)
    if emitter is None:
        raise ValueError(f"op {launch.op.name} has no generated code")
    emitter.write(writer, launch)


def _guard(writer: Writer, plan: Plan) -> None:
    if plan.guard is None:
        return
    cost = writer.scalar(plan.guard)
    with writer.block(f"if not math.isfinite({cost}):"):
        writer.line("return step")


def _results(writer: Writer, plan: Plan, outputs: Mapping[str, str]) -> None:
    """The outputs' entries of this step, then updates that could not be made in place.

    In this order: an output may be an old value that a copy replaces.
    """
    if plan.copies or not all(writer.is_variable(slot) for slot in plan.outputs.values()):
        writer.line(_MEET)
    if plan.copies or plan.outputs:
        with writer.block("if thread == 0:"):
            for name, slot in plan.outputs.items():
                if slot.shape == ():
                    writer.line(f"{outputs[name]}[step] = {writer.scalar(slot)}")
                else:
                    size = writer.size(slot)
                    target = f"window1({outputs[name]}, step * {size}, {size})"
                    writer.line(f"copy({writer.view(slot, 'whole')}, {target})")
            for new, old in plan.copies:
                writer.line(f"copy({writer.view(new, 'whole')}, {writer.view(old, 'whole')})")
    writer.line(_MEET)
