"""The entries of a step, which threads go through in order: calls, and barriers between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from nnctl.backends.cpu.codegen.kinds import Kind
from nnctl.backends.cpu.codegen.parameters import Parameter


@dataclass(frozen=True)
class Call:
    """A call of a launch's function.

    alone: whether the first thread makes it, and no other. launch: its number in the plan, None for what
    belongs to none.
    """

    kind: Kind
    passed: tuple[Parameter, ...]
    alone: bool
    launch: int | None


@dataclass(frozen=True)
class Barrier:
    """A point at which threads wait for one another."""


Entry: TypeAlias = Call | Barrier
