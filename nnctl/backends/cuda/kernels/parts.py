"""Sums that were split among blocks: their parts, one behind the other, added in their order."""

from __future__ import annotations

from nnctl.backends.cuda.calls import THREADS, Call, Scratch, blocks_for, elements, two_power
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.kernels.ends import End, reading
from nnctl.plan.plan import Slot

_EACH = 4
"""Parts that a thread adds up at least, where there are so many: their loads are under way at once."""
_NEIGHBOURS = 8
"""Elements of a block at least: 32 bytes, which memory gives at once."""


def added_up(parts: Scratch, out: Slot, number: int, end: End | None = None) -> Call:
    """The call that makes `out` the sum of so many parts of its size, with its end."""
    count, (beside, flags) = elements(out), reading(end, out)
    wide = max(_NEIGHBOURS, THREADS // two_power(max(1, number // _EACH)))
    arguments = (parts, beside, out, count, out.shape[-1], number, flags, wide)
    return Call(function("parts.cu", "add_up"), blocks_for(count, wide), arguments, 4 * THREADS)
