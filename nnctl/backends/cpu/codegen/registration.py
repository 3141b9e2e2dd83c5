"""The registration of emitters: how the code of an op is written, and what it calls and needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from nnctl.backends.cpu.codegen.writer import Writer
from nnctl.backends.cpu.compiler.marks import Function
from nnctl.late import dataclass
from nnctl.plan.plan import Launch

Emit: TypeAlias = Callable[[Writer, Launch], None]


@dataclass(frozen=True)
class Emitter:
    """The writer of an op's code, and what the schedule and the generated module must know of it.

    calls: functions that the code calls by their names; they are imported. scratch: floats of
    scratch that a launch needs in each thread, None for none.
    rows: whether it treats each example by itself, where the result's first axis is the
    batch. blocks: whether it can make a block of the first axis of a result that is not
    batched. full: inputs that every thread reads in full all the same. partition: inputs of
    which a thread reads only its block. strips: whether it can make some rows of a result seen as a matrix.
    scans: whether it goes through sequences, all examples side by side.
    """

    write: Emit
    calls: tuple[Function, ...]
    scratch: Callable[[Launch], int] | None
    rows: bool
    blocks: bool
    full: tuple[int, ...]
    partition: tuple[int, ...]
    strips: bool = False
    scans: bool = False


EMITTERS: dict[str, Emitter] = {}


def emits(
    *names: str,
    calls: tuple[Function, ...] = (),
    scratch: Callable[[Launch], int] | None = None,
    rows: bool = False,
    blocks: bool = False,
    full: tuple[int, ...] = (),
    partition: tuple[int, ...] = (),
    strips: bool = False,
    scans: bool = False,
) -> Callable[[Emit], Emit]:
    """Enter the decorated function as the writer of the ops called `names`. Raises ValueError for one that has one."""

    def decorate(function: Emit) -> Emit:
        emitter = Emitter(function, calls, scratch, rows, blocks, full, partition, strips, scans)
        for name in names:
            if name in EMITTERS:
                raise ValueError(f"op {name!r} has two emitters")
            EMITTERS[name] = emitter
        return function

    return decorate
