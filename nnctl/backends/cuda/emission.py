"""Emission: the calls of each launch of a plan."""

from __future__ import annotations

from nnctl.backends.cuda.calls import Call, ProductPrecision, blocks_for, elements
from nnctl.backends.cuda.codegen.formulas import Formula
from nnctl.backends.cuda.codegen.functions import generated_unit, parsed
from nnctl.backends.cuda.kernels import EMITTERS
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.plan.plan import Plan


def calls_of(plan: Plan, precision: ProductPrecision = "float32") -> list[list[Call] | None]:
    """The calls of each launch, in order; None for one whose reference body runs instead. precision: of products."""
    formulas = {
        i: Formula(launch, plan.inlined)
        for i, launch in enumerate(plan.launches)
        if isinstance(launch.op, ElementwiseOp)
    }
    names: dict[str, str] = {}
    for formula in formulas.values():
        names.setdefault(formula.body, f"formula{len(names)}")
    unit = generated_unit(f"the formulas of {plan.name!r}", [f"KERNEL {n}{body}" for body, n in names.items()])
    functions = parsed(unit)
    found: list[list[Call] | None] = []
    for i, launch in enumerate(plan.launches):
        if i in formulas:
            formula = formulas[i]
            blocks = blocks_for(elements(launch.outputs[0]))
            found.append([Call(functions[names[formula.body]], blocks, formula.arguments)])
        elif launch.op.name in EMITTERS:
            found.append(list(EMITTERS[launch.op.name](launch, precision)))
        else:
            found.append(None)
    return found
