"""Sums that were split among blocks: their parts, one behind the other, added in their order."""

from __future__ import annotations

from nnctl.backends.cuda.calls import THREADS, WARP, Call, Scratch, blocks_for, elements
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.kernels.ends import End, reading
from nnctl.plan.plan import Slot

_FEW = 16
"""Parts that a thread adds up by itself: their loads are under way at once."""


def added_up(parts: Scratch, out: Slot, number: int, end: End | None = None) -> Call:
    """The call that makes `out` the sum of so many parts of its size, with its end."""
    count, (beside, flags) = elements(out), reading(end, out)
    wide = THREADS if number <= _FEW else WARP
    arguments = (parts, beside, out, count, out.shape[-1], number, flags, wide)
    return Call(function("parts.cu", "add_up"), blocks_for(count, wide), arguments, 4 * THREADS)
