"""The console: rich's, for text that may come from strangers."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import IO, Any

import rich.console
import rich.progress
from rich.segment import Segment

from nnctl.screen.characters import harmless, message
from nnctl.screen.guard import guard, unguarded


class Console(rich.console.Console):
    """A console where only what rich draws itself acts on the terminal.

    Markup, emoji codes and highlighting are off: a class may be called `[red]` or `:smile:`.
    width: in columns; the terminal's at each moment if absent.
    """

    def __init__(self, stream: Any, width: int | None = None) -> None:
        # Both, or rich takes every terminal without colours for one of 80 columns.
        height = None if width is None else 25
        super().__init__(file=unguarded(stream), markup=False, emoji=False, highlight=False, width=width, height=height)
        if self.width < 1:
            # rich takes COLUMNS=0 as it is, and shows nothing.
            self.width = columns_of(stream)

    def render(
        self, renderable: rich.console.RenderableType, options: rich.console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Segments of a renderable, the text in each of them harmless."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(harmless(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError, as whatever else prints does where the reader has gone; rich would exit with 1."""
        raise BrokenPipeError("nobody reads")

    def say(self, text: str, style: str | None = None) -> None:
        """Print a line that the terminal wraps, not we: a path is copied in one piece."""
        self.print(text, style=style, soft_wrap=True)


def columns_of(stream: IO[str]) -> int:
    """The columns of the terminal behind a stream: COLUMNS where that is a number above 0, else what it says."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80


class Bar(rich.progress.Progress):
    """A progress bar that leaves the screen when it ends; what is printed while it is there stands above it."""

    def __init__(self, *columns: rich.progress.ProgressColumn, console: Console) -> None:
        # Data in a pipe are not for the bar's terminal.
        both = sys.stdout is not None and sys.stdout.isatty()
        shown = console.is_terminal and not console.is_dumb_terminal
        super().__init__(*columns, console=console, transient=True, disable=not shown, redirect_stdout=both)

    def start(self) -> None:
        """Show it."""
        super().start()
        # rich has put streams of its own in place, which would take colours from what is written to them.
        sys.stdout, sys.stderr = guard(sys.stdout, harmless), guard(sys.stderr, message)
