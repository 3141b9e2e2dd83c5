"""Runs shown on a terminal, once or until their training ends, and as rows in a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from rich.console import Group
from rich.text import Text

from nnctl.figures.terminal import is_plain
from nnctl.late import dataclass
from nnctl.overview.panels import AXES, panel_lines, panels, require_columns
from nnctl.overview.state import Directions, sentences
from nnctl.runs.following import Followed
from nnctl.runs.history import History
from nnctl.screen.characters import message
from nnctl.screen.console import Console

PERIOD = 0.25
"""Seconds between two looks at a run that trains, and at the size of the terminal."""


@dataclass(frozen=True)
class View:
    """The part of runs that is drawn: see `panels`."""

    by: str = "epoch"
    log: bool = False
    columns: tuple[str, ...] = ()
    directions: Directions = field(default_factory=Directions)

    def lines(self, runs: Sequence[History], width: int, height: int | None, *, plain: bool) -> list[Text]:
        """The state of each run, and its curves. height: of all together, if given; text that is wider is cut then."""
        head = [Text(message(text)) for run in runs for text in self._head(run, several=len(runs) > 1)]
        if height is not None:
            # At least half of a small screen is for the curves.
            head = head[: max(1, height // 2)]
            for line in head:
                line.truncate(width)
        left = None if height is None else height - len(head)
        charts = panels(runs, by=self.by, log=self.log, columns=self.columns)
        drawn = panel_lines(charts, width, left, plain=plain)
        return [*head, *(drawn if left is None else drawn[:left])]

    def _head(self, run: History, *, several: bool) -> Iterator[str]:
        said = list(sentences(run, self.directions))
        yield from [" · ".join(said[:2])] if several else said


def show(runs: Sequence[History], view: View, console: Console) -> None:
    """Draw runs once."""
    for line in view.lines(runs, console.width, None, plain=is_plain(console)):
        console.print(line, soft_wrap=True)


def watch(
    runs: Sequence[Followed], view: View, console: Console, pause: Callable[[float], None] = time.sleep
) -> list[History]:
    """Draw runs over the whole screen, anew with every row and every size, until none of them trains.

    Returns their histories then. The screen is as it was before when this is left. A terminal without a cursor
    gets a line a row. pause: what waits so many seconds.
    """
    if console.is_dumb_terminal:
        return _in_lines(runs, view, console, pause)
    with console.screen(hide_cursor=True) as screen:
        before: object = None
        while True:
            seen = [run.look() for run in runs]
            # The time that is left changes by the second.
            now = [(run.state, len(run.rows)) for run in seen], console.size, int(time.monotonic())
            if now != before:
                lines = view.lines(seen, console.width, console.height, plain=is_plain(console))
                screen.update(Group(*lines))
                before = now
            if all(run.state != "training" for run in seen):
                return seen
            pause(PERIOD)


def rows_of(
    runs: Sequence[Followed],
    columns: Sequence[str] = (),
    *,
    until_end: bool,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Mapping[str, Any]]:
    """The rows of runs, each with its run's name, then that of the test split; as they come until none trains.

    columns: these alone beside the event and those of `AXES`, all if there is none. until_end: rows that are still to
    come, too. Raises UsageError where no run has one of the columns.
    """
    kept = {"event", *AXES, *columns}

    def named(run: History, row: Mapping[str, Any]) -> dict[str, Any]:
        return {"run": run.name} | {name: value for name, value in row.items() if not columns or name in kept}

    counts = [0] * len(runs)
    tested = [False] * len(runs)
    while True:
        seen = [run.look() for run in runs]
        require_columns(seen, columns)
        for number, run in enumerate(seen):
            # A run that was resumed has given rows already which it makes again.
            for row in run.rows[counts[number] :]:
                yield named(run, row)
            counts[number] = max(counts[number], len(run.rows))
            if run.summary is not None and run.summary["test"] is not None and not tested[number]:
                yield named(run, run.summary["test"])
                tested[number] = True
        if not until_end or all(run.state != "training" for run in seen):
            return
        pause(PERIOD)


def _in_lines(runs: Sequence[Followed], view: View, console: Console, pause: Callable[[float], None]) -> list[History]:
    counts = [-1] * len(runs)
    while True:
        seen = [run.look() for run in runs]
        for number, run in enumerate(seen):
            if run.state == "training" and len(run.rows) != counts[number]:
                console.say(message(" · ".join(sentences(run, view.directions))))
                counts[number] = len(run.rows)
        if all(run.state != "training" for run in seen):
            return seen
        pause(PERIOD)
