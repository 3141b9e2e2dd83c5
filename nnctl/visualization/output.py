"""Output of figures: an SVG or PNG file, a drawing on the terminal, or SVG in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from nnctl.errors import UsageError
from nnctl.figures.figure import Figure
from nnctl.figures.svg import svg_of
from nnctl.late import dataclass
from nnctl.reporting.new_file import new_file, require_new

_OPTION = "--out"
_ENDINGS = (".svg", ".png")


@dataclass(frozen=True)
class Output:
    """The place that figures go to: a file, or stdout if None. dark: a PNG in light ink on dark.

    Raises UsageError, before anything is computed, for a file that cannot be made or is there and not to be
    overwritten (`force`), and where PNG files cannot be drawn here.
    """

    file: Path | None = None
    force: bool = False
    dark: bool = False

    def __post_init__(self) -> None:
        if self.file is None:
            if self.force or self.dark:
                option = "--force" if self.force else "--dark"
                raise UsageError(f"{option} is of the file that {_OPTION} names, and there is no {_OPTION}")
            return
        ending = self.file.suffix.lower()
        if ending not in _ENDINGS:
            raise UsageError(f"{_OPTION} {self.file}: the ending says the format\n  expected {' or '.join(_ENDINGS)}")
        if self.dark and ending == ".svg":
            raise UsageError("--dark is of .png files: an .svg file follows its reader, light or dark")
        require_new(self.file, _OPTION, force=self.force)
        if ending == ".png":
            from nnctl.visualization.png import require_png

            require_png()

    def give(self, figures: Sequence[Figure]) -> None:
        """Write the figures to the file, draw them on the terminal, or print them as SVG in a pipe."""
        if self.file is not None:
            with new_file(self.file, _OPTION, force=self.force) as file:
                file.write(self._content(figures))
        elif sys.stdout.isatty():
            from nnctl.figures.terminal import print_figure
            from nnctl.screen.console import Console

            console = Console(sys.stdout)
            for figure in figures:
                print_figure(figure, console)
        else:
            encoding = sys.stdout.encoding or "utf-8"
            text = svg_of(*figures, alone=True)
            print(text.encode(encoding, "xmlcharrefreplace").decode(encoding), flush=True)

    def _content(self, figures: Sequence[Figure]) -> bytes:
        assert self.file is not None
        if self.file.suffix.lower() == ".png":
            from nnctl.visualization.png import png_of

            return png_of(figures, dark=self.dark)
        return svg_of(*figures, alone=True).encode()
