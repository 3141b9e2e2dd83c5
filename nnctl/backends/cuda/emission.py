"""Emission: the calls of each launch of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nnctl.backends.cuda.calls import Call, ProductPrecision, elements
from nnctl.backends.cuda.codegen.formulas import Formula
from nnctl.backends.cuda.codegen.functions import generated_unit, parsed
from nnctl.backends.cuda.codegen.segments import Segments, segments_of
from nnctl.backends.cuda.ended_products import EndedProduct, ended_calls
from nnctl.backends.cuda.grouped_reductions import grouped_reductions
from nnctl.backends.cuda.kernels import EMITTERS
from nnctl.backends.cuda.kernels.likelihoods import softmax_pairs
from nnctl.backends.cuda.kernels.pooling import pool_pairs
from nnctl.errors import DeviceError
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.plan.plan import Plan

MOST_ELEMENTS = 2**31 - 2**16
"""Elements of an array: kernels count them in 32 bits, and the last block counts on behind the end."""
_BY_ROW = ("gather", "lookup")
"""Ops that find rows of their first input by indices of 64 bits, so that a data set may have any size."""


def calls_of(plan: Plan, precision: ProductPrecision = "float32", *, joined: bool = False) -> list[list[Call] | None]:
    """The calls of each launch, in order; None for one whose reference body runs instead.

    precision: of products. joined: whether launches of a phase that have one formula become one grid; it is the
    first one's, and the others have no call.
    Several launches that one call makes have it where the last of them is, the others none: reductions of the same
    places, softmax and its cost, maxima and their places. Raises DeviceError for an array of too many elements.
    """
    _require_countable(plan)
    made = _formulas(plan, joined) | grouped_reductions(plan) | softmax_pairs(plan) | pool_pairs(plan)
    found: list[list[Call] | None] = []
    for i, launch in enumerate(plan.launches):
        if i in made:
            found.append(made[i])
        elif isinstance(launch.op, EndedProduct):
            found.append(ended_calls(launch, precision))
        elif launch.op.name in EMITTERS:
            found.append(list(EMITTERS[launch.op.name](launch, precision)))
        else:
            found.append(None)
    return found


def _require_countable(plan: Plan) -> None:
    """Raise DeviceError where an array has more elements than kernels can count."""
    for launch in (*plan.launches, *plan.inlined.values()):
        counted = launch.inputs[1:] if launch.op.name in _BY_ROW else launch.inputs
        for slot in (*counted, *launch.outputs):
            if (count := elements(slot)) > MOST_ELEMENTS:
                raise DeviceError(
                    f"{plan.name}: {launch.op.name} has an array {slot.shape} of {count:,} elements, and the cuda "
                    f"backend computes with {MOST_ELEMENTS:,} at most\n  a smaller batch has smaller arrays"
                )


def _formulas(plan: Plan, joined: bool) -> dict[int, list[Call]]:
    """The calls of elementwise launches by their numbers in the plan."""
    formulas = {
        i: Formula(launch, plan.inlined, joined)
        for i, launch in enumerate(plan.launches)
        if isinstance(launch.op, ElementwiseOp)
    }
    bodies: dict[str, str] = {}
    for formula in formulas.values():
        bodies.setdefault(formula.body, f"formula{len(bodies)}")
    title = f"the formulas of {plan.name!r}"
    functions = parsed(generated_unit(title, [f"KERNEL {name}{body}" for body, name in bodies.items()]))
    calls = {i: Call(functions[bodies[f.body]], f.blocks, f.arguments) for i, f in formulas.items()}
    grids = segments_of(plan, calls) if joined else []
    if not grids:
        return {i: [call] for i, call in calls.items()}
    return {i: [] for i in calls} | _joined(title, bodies, calls, grids)


def _joined(
    title: str, bodies: Mapping[str, str], calls: Mapping[int, Call], grids: Sequence[Segments]
) -> dict[int, list[Call]]:
    """The same with grids in the places of their first launches. Formulas that only grids call are no kernels."""
    inside = {i for grid in grids for i in grid.launches}
    alone = {i: call for i, call in calls.items() if i not in inside}
    launched = {call.function.name for call in alone.values()}
    names: dict[str, str] = {}
    for grid in grids:
        names.setdefault(grid.body, f"segments{len(names)}")
    definitions = [
        *(f"{'KERNEL' if name in launched else 'DEVICE void'} {name}{body}" for body, name in bodies.items()),
        *(f"KERNEL {name}{body}" for body, name in names.items()),
    ]
    functions = parsed(generated_unit(title, definitions))
    found = {i: [replace(call, function=functions[call.function.name])] for i, call in alone.items()}
    for grid in grids:
        function = functions[names[grid.body]]
        found[grid.launches[0]] = [Call(function, grid.blocks, grid.arguments, shares=grid.shares)]
    return found
