"""How the writer of an op's code is entered, and what the schedule must know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from nnctl.backends.cpu.codegen.writer import Writer
from nnctl.plan.plan import Launch

Emit: TypeAlias = Callable[[Writer, Launch], None]


@dataclass(frozen=True)
class Emitter:
    """How the code of an op is written, and how threads may share it.

    rows: whether it treats each example by itself, where the result's first axis is the
    batch. blocks: whether it can make a stretch of the first axis of a result that is not
    batched. whole: inputs that every thread reads whole all the same. own: inputs of which
    a thread reads only its block.
    """

    write: Emit
    rows: bool
    blocks: bool
    whole: tuple[int, ...]
    own: tuple[int, ...]


EMITTERS: dict[str, Emitter] = {}


def emits(
    *names: str,
    rows: bool = False,
    blocks: bool = False,
    whole: tuple[int, ...] = (),
    own: tuple[int, ...] = (),
) -> Callable[[Emit], Emit]:
    """Enter the decorated function as the writer of the ops called `names`."""

    def decorate(function: Emit) -> Emit:
        emitter = Emitter(function, rows, blocks, whole, own)
        EMITTERS.update(dict.fromkeys(names, emitter))
        return function

    return decorate
