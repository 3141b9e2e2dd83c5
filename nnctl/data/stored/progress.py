"""The progress of long passes over data: a bar on a terminal's stderr, a line elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

S = TypeVar("S", bound=Sized)


def shown(parts: Iterable[S], what: str, total: int | None, unit: str) -> Iterator[S]:
    """The parts as they come, their lengths counted on the screen.

    what: is done to them, as "reading churn.csv". total: of all lengths, where it is known. unit: of a length.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    from nnctl.screen.console import Bar, Console

    console = Console(sys.stderr)
    if not console.is_terminal:
        console.say(what if total is None else f"{what}: {total:,} {unit}")
        yield from parts
        return
    counted = MofNCompleteColumn() if total is not None else TextColumn("{task.completed:,.0f}")
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), counted, TextColumn(unit))
    with Bar(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(what, total=total)
        for part in parts:
            yield part
            bar.advance(task, len(part))
