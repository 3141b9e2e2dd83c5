"""Grouped reductions: those of a phase over the same places read them once, and formulas are made while they do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nnctl.backends.codegen.reductions import reduced_axes
from nnctl.backends.cuda.calls import Call
from nnctl.backends.cuda.codegen.functions import generated_unit, parsed
from nnctl.backends.cuda.codegen.reductions import HEADER, FormulaReductions
from nnctl.backends.cuda.kernels.reductions import REDUCTIONS, Reducer, array_reducer, passes, scale_of
from nnctl.plan.plan import Plan

_TOGETHER = 4
"""Reductions that one function makes at most: each takes registers."""


def grouped_reductions(plan: Plan) -> dict[int, list[Call]]:
    """The calls of reductions that read formulas or have company, by their numbers in the plan.

    The calls of several are the last one's, and the others have none: what they write is all known by then.
    """
    groups = {group: FormulaReductions([plan.launches[i] for i in group], plan.inlined) for group in _groups(plan)}
    bodies = dict.fromkeys(body for group in groups.values() for body in (group.body, group.again) if body)
    names = {body: f"reduction{number}" for number, body in enumerate(bodies)}
    definitions = [HEADER, *(f"KERNEL {name}{body}" for body, name in names.items())]
    functions = parsed(generated_unit(f"the reductions of {plan.name!r}", definitions))
    found: dict[int, list[Call]] = {}
    for numbers, group in groups.items():
        launches = [plan.launches[i] for i in numbers]
        one = launches[0]
        again = functions[names[group.again]] if group.again else array_reducer(one)
        reducer = Reducer(functions[names[group.body]], group.inputs, again, tuple(map(scale_of, launches)))
        calls = passes(reducer, [launch.outputs[0] for launch in launches], one.inputs[0].shape, reduced_axes(one))
        found |= {i: [] for i in numbers}
        found[numbers[-1]] = [replace(call, shares=tuple((i, 1) for i in numbers)) for call in calls]
    return found


def _groups(plan: Plan) -> Iterator[tuple[int, ...]]:
    """The positions of reductions that read the same places in the same phase, and of each one of a formula."""
    alike: dict[object, list[int]] = {}
    for i, launch in enumerate(plan.launches):
        if launch.op.name in REDUCTIONS:
            axes = tuple(sorted(reduced_axes(launch)))
            key = (launch.phase, i < plan.guarded, launch.op.name == "max", launch.inputs[0].shape, axes)
            alike.setdefault(key, []).append(i)
    for positions in alike.values():
        for start in range(0, len(positions), _TOGETHER):
            group = tuple(positions[start : start + _TOGETHER])
            if len(group) > 1 or plan.launches[group[0]].inputs[0].place == "inline":
                yield group
