"""The functions around the launches of a step: its feeds, its guard, its outputs, its number."""

from __future__ import annotations

from collections.abc import Sequence

from nnctl.backends.cuda.codegen.functions import ELEMENTS
from nnctl.ops.shapes import DType

LIVE, STEP, ARRIVED = 0, 1, 2
"""Entries of the control block: whether no guard has stopped the chunk, the steps completed in it, and the blocks
that have come to barriers of a persistent kernel."""
_OF_STEP = "(long long)(step[0]) * n{0} + i"
"""The place of element i of a step among all that a chunk has."""


def take_feeds(kinds: Sequence[DType]) -> str:
    """A function that copies the entries of this step from what the chunk was given, feed by feed."""
    return _copies("take_feeds", kinds, _OF_STEP, "i")


def keep_outputs(kinds: Sequence[DType]) -> str:
    """A function that copies the outputs of this step to the chunk's, output by output."""
    return _copies("keep_outputs", kinds, "i", _OF_STEP)


def keep_outputs_and_count(kinds: Sequence[DType]) -> str:
    """The same for outputs that are the work of one block, which then counts the step: a launch less."""
    counted = ["    __syncthreads();", "    if (threadIdx.x == 0) step[0] += 1;"]
    return _copies("keep_outputs_and_count", kinds, "i", _OF_STEP, counted)


def _copies(name: str, kinds: Sequence[DType], source: str, target: str, then: Sequence[str] = ()) -> str:
    parameters = ["int* step" if then else "const int* step"]
    lines = []
    for number, kind in enumerate(kinds):
        element = ELEMENTS[kind]
        parameters += [f"const {element}* from{number}", f"{element}* to{number}", f"int n{number}"]
        lines.append(
            f"    if (i < n{number}) to{number}[{target.format(number)}] = from{number}[{source.format(number)}];"
        )
    return "\n".join(
        [
            f"KERNEL {name}(Block block, {', '.join(parameters)}) {{",
            "    int i = element_of(block);",
            *lines,
            *then,
            "}",
        ]
    )
