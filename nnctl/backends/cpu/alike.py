"""Plans that differ in the numbers of their formulas alone, as those of trials do: λ, dropout, slopes, decays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from nnctl.backends.cpu.codegen.writer import is_plain
from nnctl.backends.cpu.division import division_of
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.expression import Expression, Ref
from nnctl.plan.plan import Launch, Plan

Numbers: TypeAlias = Mapping[str, float]
"""By the text of each number of one plan's formulas, the one that another plan has in its place."""


def numbers_instead(plan: Plan, other: Plan) -> Numbers | None:
    """The numbers of `other` in place of those of `plan`; None where code of the one cannot run the other.

    A number that a plan has in several places is one number of its code, so the other has one in all of these.
    """
    # Many plans are compared, of which nearly none is the like of another.
    if plan.name != other.name or len(plan.launches) != len(other.launches) or _outline(plan) != _outline(other):
        return None
    comparison = _Comparison()
    launches = zip(plan.launches, other.launches, strict=True)
    inlined = ((launch, other.inlined[key]) for key, launch in plan.inlined.items())
    same = all(comparison.of(division_of, a, b) for a, b in launches)
    return comparison.found if same and all(comparison.of(_undivided, a, b) for a, b in inlined) else None


def _outline(plan: Plan) -> tuple[object, ...]:
    """The part of a plan beside its launches."""
    return (
        plan.arena_bytes,
        plan.precision,
        plan.sizes,
        plan.inlined.keys(),
        plan.guard,
        plan.guarded,
        plan.outputs,
        plan.copies,
    )


def _undivided(launch: Launch) -> None:
    """The division of a launch that is computed where it is read."""


class _Comparison:
    """A comparison of two plans, launch by launch. found: the numbers so far."""

    def __init__(self) -> None:
        self.found: dict[str, float] = {}

    def of(self, division: Callable[[Launch], object], a: Launch, b: Launch) -> bool:
        """True where two launches differ in nothing but the numbers of their formulas, as all before."""
        if (a.inputs, a.outputs, a.phase, division(a)) != (b.inputs, b.outputs, b.phase, division(b)):
            return False
        # As texts: 0 and −0 are equal, and not the same.
        if (a.attributes or b.attributes) and repr(a.attributes) != repr(b.attributes):
            return False
        if isinstance(a.op, ElementwiseOp) and isinstance(b.op, ElementwiseOp):
            return self._formulas(a.op.expression, b.op.expression)
        return bool(type(a.op) is type(b.op) and a.op.identity == b.op.identity)

    def _formulas(self, a: Expression, b: Expression) -> bool:
        if (a.arity, len(a.lines), len(a.results)) != (b.arity, len(b.lines), len(b.results)):
            return False
        for one, another in zip(a.lines, b.lines, strict=True):
            if one.primitive != another.primitive or len(one.arguments) != len(another.arguments):
                return False
            if not all(map(self._references, one.arguments, another.arguments)):
                return False
        return all(map(self._references, a.results, b.results))

    def _references(self, a: Ref, b: Ref) -> bool:
        if not (isinstance(a, float) and isinstance(b, float)):
            return type(a) is type(b) and a == b
        text = repr(b)
        if is_plain(a) or is_plain(b):
            return repr(a) == text
        return repr(self.found.setdefault(repr(a), b)) == text
