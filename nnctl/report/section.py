"""Sections: what a page says, as data: titles above prose, figures with their tables, tables and texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from nnctl.figures.figure import Figure, Table
from nnctl.figures.parallel import Parallel
from nnctl.late import dataclass

if TYPE_CHECKING:
    from nnctl.inference.opened import TrainedRun
    from nnctl.runs.history import History
    from nnctl.sweep.stored_sweep import StoredSweep


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Tiles:
    """A few numbers to be seen first, each under its name."""

    values: tuple[tuple[str, float | int | str], ...]


@dataclass(frozen=True)
class Drawn:
    """A figure, and a line below it.

    table: the numbers behind it; its own where None. listed: these stand elsewhere in the section, once for several
    figures. wide: it takes the whole width of the page, and not a column of it.
    """

    figure: Figure | Parallel
    words: str = ""
    table: Table | None = None
    listed: bool = False
    wide: bool = False


@dataclass(frozen=True)
class Link:
    """A cell of a table that leads to a place of the same section."""

    text: str
    place: str


@dataclass(frozen=True)
class Written:
    """A number in a cell of a table as it is to be written, with all its digits and without a mark of thousands."""

    text: str


@dataclass(frozen=True)
class Listed:
    """A table under a caption. folded: closed until it is opened; else long tables alone are."""

    caption: str
    table: Table
    folded: bool = False


@dataclass(frozen=True)
class Text:
    """A text as it is written, such as a spec or a command, under a caption."""

    caption: str
    text: str
    folded: bool = False


@dataclass(frozen=True)
class Choice:
    """Alternatives of which one is seen at a time, the first at first: their names and what each shows."""

    caption: str
    options: tuple[tuple[str, tuple[Part, ...]], ...]


@dataclass(frozen=True)
class Ways:
    """Ways to other sections of the page: what each is called, the name of the section, c<chapter>-<section>, and where
    it lies, "prev" or "next", which keys follow, too."""

    ways: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Place:
    """Parts that links of the same section lead to by a name: letters, digits and hyphens."""

    name: str
    parts: tuple[Part, ...]


Part: TypeAlias = Prose | Tiles | Drawn | Listed | Text | Choice | Place | Ways


@dataclass(frozen=True)
class Section:
    """A title and what stands under it."""

    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Chapter:
    """Sections under a common title: on the runs together, on one of them, on a sweep."""

    title: str
    sections: tuple[Section, ...]


AboutRuns: TypeAlias = "Callable[[Sequence[History]], Iterable[Section]]"
"""Sections on runs beside one another, one run or more."""
AboutARun: TypeAlias = "Callable[[History], Iterable[Section]]"
"""Sections on one run, by its folder alone."""
AboutANet: TypeAlias = "Callable[[TrainedRun], Iterable[Section]]"
"""Sections on the trained net of a run, for which its data may be read; DataError and the like are said on the page."""
AboutASweep: TypeAlias = "Callable[[StoredSweep], Iterable[Section]]"
"""Sections on a sweep, running, stopped or done."""
