"""Work as a number that no other load of the machine changes: the calls of functions that it takes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType


def calls(work: Callable[[], object]) -> int:
    """Calls of functions while `work` runs, those of Python and those of C."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def grows_evenly(work: Callable[[int], object], few: int, many: int) -> bool:
    """True where five more parts take as much work beside `many` parts as beside `few`, up to a twentieth."""
    work(few)  # what is done once a process is done
    beside_few, beside_many = (calls(lambda n=n: work(n + 5)) - calls(lambda n=n: work(n)) for n in (few, many))
    return beside_many <= 1.05 * beside_few
