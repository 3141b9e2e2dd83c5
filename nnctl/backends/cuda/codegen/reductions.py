"""Reductions of formulas as device functions: their elements are made where they are added up, and never stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnctl.backends.cuda.codegen.formulas import ElementText, Taken
from nnctl.plan.plan import Launch, Slot

HEADER = '#include "reductions.cuh"'
"""The first line of a unit of such functions."""
_SIZES = ("outer", "length", "inner", "parts", "width", "depth")


class FormulaReductions:
    """The device function of reductions of arrays and formulas over the same axes of one shape.

    body: its text from the parameters on. inputs: the slots that it reads, and its constants. again: of the function
    that reduces as many arrays, which first passes leave; "" for one array, which needs none of its own.
    """

    def __init__(self, launches: Sequence[Launch], inlined: Mapping[str, Launch]) -> None:
        largest = launches[0].op.name == "max"
        taken = Taken()
        made = [_made(number, launch.inputs[0], inlined, taken) for number, launch in enumerate(launches)]
        self.body = _body(taken.parameters, made, largest)
        self.inputs = taken.arguments
        count = range(len(launches))
        arrays = [f"const float* x{number}" for number in count]
        self.again = _body(arrays, [[f"made[{i}] = x{i}[i];"] for i in count], largest) if len(count) > 1 else ""


def _made(number: int, x: Slot, inlined: Mapping[str, Launch], taken: Taken) -> list[str]:
    """Lines that make element i of what the reduction of that number reads."""
    if x.place != "inline":
        return [f"made[{number}] = {taken.name(x)}[i];"]
    element = ElementText(inlined[x.key], inlined, taken)
    (result,) = element.results
    return ["{", *(f"    {line}" for line in element.lines), f"    made[{number}] = {result};", "}"]


def _body(parameters: Sequence[str], made: Sequence[Sequence[str]], largest: bool) -> str:
    count = len(made)
    taken = [
        "Block block",
        *parameters,
        *(f"float* y{number}_" for number in range(count)),
        *(f"int {size}" for size in _SIZES),
        *(f"float scale{number}" for number in range(count)),
    ]
    return "\n".join(
        [
            f"({', '.join(taken)}) {{",
            f"    float result[{count}];",
            "    auto elements = [=](int i, float* made) {",
            *(f"        {line}" for lines in made for line in lines),
            "    };",
            f"    int at = reduce_part<{str(largest).lower()}, {count}>(block, elements, {', '.join(_SIZES)}, result);",
            "    if (at < 0) return;",
            *(f"    y{number}_[at] = result[{number}] * scale{number};" for number in range(count)),
            "}",
        ]
    )
