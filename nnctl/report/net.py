"""The trained net of a run: its answers to a split that it has not learned from, its filters, maps and boundary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from nnctl.data.dataset import Dataset
from nnctl.errors import NnctlError, UsageError
from nnctl.figures.figure import Figure
from nnctl.inference.evaluation import data_of
from nnctl.inference.examination import examine_classes, examine_values, examined_split
from nnctl.inference.opened import TrainedRun
from nnctl.report.classes import sections_on_classes
from nnctl.report.examples import Examples
from nnctl.report.fitting import fitted
from nnctl.report.section import Drawn, Part, Prose, Section
from nnctl.report.values import sections_on_values
from nnctl.visualization.boundary import boundary
from nnctl.visualization.filters import filters
from nnctl.visualization.maps import maps

_MOST_FIGURES = 8
"""Layers whose filters, and whose answers to an example, are drawn."""
_MOST_FILTERS = 24
_MOST_MAPS = 16
_PIXELS = 50_000
"""Pixels of all pictures of a section; one that is noise takes three to four bytes."""
_RESOLUTION = 96
"""Places along each axis of a boundary."""


def trained_net(run: TrainedRun) -> Iterator[Section]:
    """The sections on a net; a section that its data or a number forbids says so, and the others stay."""
    try:
        data = data_of(run)
    except NnctlError as error:
        yield _untold("Answers", error)
    else:
        yield from _told("Answers", lambda: _answers(run, data))
        yield from _told("Decision boundary", lambda: _boundary(run, data))
        yield from _told("An example on its way", lambda: _maps(run, data))
    yield from _told("Filters", lambda: _filters(run))


def _told(title: str, sections: Callable[[], Iterable[Section]]) -> Iterator[Section]:
    try:
        yield from sections()
    except NnctlError as error:
        yield _untold(title, error)


def _untold(title: str, error: NnctlError) -> Section:
    return Section(title, (Prose(f"This cannot be told: {error}"),))


def _answers(run: TrainedRun, data: Dataset) -> Iterator[Section]:
    name = examined_split(data)
    split = data.splits[name]
    examples = Examples(run, data, name)
    weights = f"With the {run.checkpoint} weights, of epoch {run.epoch:g}, on {len(split):,} examples"
    said = f"{weights} of the {name} split"
    if name == "train":
        said = f"{weights} that the net was trained with, for there are no others: how it answers new ones is not told"
    if run.classes is None:
        targets = run.fitted.get("targets", ())
        yield from sections_on_values(examine_values(run, split, name), examples, said, targets)
    else:
        yield from sections_on_classes(run.classes, examine_classes(run, split, name), examples, said)


def _boundary(run: TrainedRun, data: Dataset) -> Iterator[Section]:
    if run.signature.input_shape != (2,):
        return
    try:
        plane = boundary(run, data, resolution=_RESOLUTION)
    except UsageError:  # no plane shows what this net answers
        return
    yield Section("Decision boundary", (Drawn(plane),))


def _maps(run: TrainedRun, data: Dataset) -> Iterator[Section]:
    figures = maps(run, data, examined_split(data), most=_MOST_MAPS)
    if len(figures) > 1:
        yield Section("An example on its way", tuple(_some(figures, "layers")))


def _filters(run: TrainedRun) -> Iterator[Section]:
    try:
        figures = filters(run, _MOST_FILTERS)
    except UsageError:  # this net has none
        return
    yield Section("Filters", tuple(_some(figures, "layers")))


def _some(figures: Sequence[Figure], what: str) -> Iterator[Part]:
    """The first figures, the last among them, and how many there are of them."""
    if len(figures) > _MOST_FIGURES:
        yield Prose(f"Drawn are {_MOST_FIGURES} of {len(figures):,} {what}, the last among them.")
        figures = [*figures[: _MOST_FIGURES - 1], figures[-1]]
    yield from (Drawn(figure, listed=True) for figure in fitted(figures, _PIXELS))
