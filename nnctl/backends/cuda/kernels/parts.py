"""Sums that were split among blocks: their parts, one behind the other, added in their order."""

from __future__ import annotations

from nnctl.backends.cuda.calls import THREADS, WARP, Call, Scratch, blocks_for, elements
from nnctl.backends.cuda.codegen.functions import function
from nnctl.plan.plan import Slot


def added_up(parts: Scratch, out: Slot, number: int) -> Call:
    """The call that makes `out` the sum of so many parts of its size."""
    count = elements(out)
    return Call(function("parts.cu", "add_up"), blocks_for(count, WARP), (parts, out, count, number), 4 * THREADS)
