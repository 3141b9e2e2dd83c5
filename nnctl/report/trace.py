"""A trace as a page: a section a stage, the net drawn with the numbers that are known so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nnctl.analysis.trace.stages import EQUATIONS, Phase, Quantity, Stage, Trace
from nnctl.analysis.trace.text import contents_of, heading
from nnctl.figures.figure import Gallery, Picture, Table, Unit, Units
from nnctl.figures.scales import number
from nnctl.figures.units import MOST_COLUMNS, MOST_UNITS
from nnctl.ops.shapes import show
from nnctl.report.page import page
from nnctl.report.section import Chapter, Drawn, Listed, Part, Prose, Section, Text, Ways

_CHAPTERS: Mapping[Phase, str] = {
    "example": "Forward",
    "forward": "Forward",
    "cost": "Forward",
    "backward": "Backward",
    "regularizer": "Backward",
    "clipping": "Update",
    "update": "Update",
}


def trace_page(trace: Trace) -> str:
    """The text of a page on a trace; it needs neither a network nor a script, by which keys go from stage to stage."""
    drawing = _Drawing(trace)
    titles = dict.fromkeys(_CHAPTERS[stage.phase] for stage in trace.stages)
    chapters = {
        title: [(at, each) for at, each in enumerate(trace.stages) if _CHAPTERS[each.phase] == title]
        for title in titles
    }
    targets = {
        index: f"c{at}-{place}"
        for at, stages in enumerate(chapters.values(), 1)
        for place, (index, _) in enumerate(stages)
    }
    first, *words = heading(trace)[: 1 + len(trace.words)]
    equations = Table(("name", "equation"), tuple(EQUATIONS.items()))
    head = Chapter("What is traced", (
        Section("Conditions", (*map(Prose, words), Ways((("begin →", targets[0], "next"),)))),
        Section("The four equations of backpropagation", (
            Listed("as Nielsen names them", equations),
            Prose(heading(trace)[-1]),
        )),
    ))  # fmt: skip
    sections = {
        title: tuple(
            Section(f"{index + 1}. {stage.title}", tuple(_parts(stage, index, trace.stages, targets, drawing)))
            for index, stage in stages
        )
        for title, stages in chapters.items()
    }
    name = f"{trace.facts.get('net', 'net')}, example {trace.facts.get('example', 0)}, by hand"
    return page(name, first, [head, *(Chapter(title, within) for title, within in sections.items())])


def _parts(
    stage: Stage, index: int, stages: Sequence[Stage], targets: Mapping[int, str], drawing: _Drawing
) -> Iterator[Part]:
    yield from map(Prose, stage.words)
    if (picture := _picture(stage)) is not None:
        yield Drawn(picture)
    if (figure := drawing.after(stage)) is not None:
        yield Drawn(figure)
    for quantity in stage.quantities:
        yield _text(quantity)
    links = []
    if index:
        links.append((f"← {index}. {stages[index - 1].title}", targets[index - 1], "prev"))
    if index + 1 < len(stages):
        links.append((f"{index + 2}. {stages[index + 1].title} →", targets[index + 1], "next"))
    yield Ways(tuple(links))


def _text(quantity: Quantity) -> Text:
    label = f" · {quantity.equation}: {EQUATIONS[quantity.equation]}" if quantity.equation else ""
    shape = f" {show(quantity.shown.shape)}" if quantity.shown.shape else ""
    lines = [f"= {quantity.formula}", *contents_of(quantity)]
    if quantity.words:
        lines.insert(1, quantity.words)
    return Text(f"{quantity.name}{shape}{label}", "\n".join(lines))


def _picture(stage: Stage) -> Gallery | None:
    """The example where it is a picture."""
    if stage.phase != "example":
        return None
    x = next((q.shown for q in stage.quantities if q.name == "x"), None)
    if x is None or x.ndim != 3 or x.shape[-1] not in (1, 3) or min(x.shape[:2]) < 4:
        return None
    low, high = float(x.min()), float(x.max())
    pixels = (x.astype(np.float64) - low) / ((high - low) or 1.0)
    return Gallery("The example", (Picture(pixels[..., 0] if x.shape[-1] == 1 else pixels, "x"),))


class _Drawing:
    """The drawing of a small net of dense layers, as it is after each stage."""

    def __init__(self, trace: Trace) -> None:
        self.layers = trace.dense
        self.known: dict[str, NDArray[np.float64]] = {}
        self.weights: dict[str, NDArray[np.float64]] = {
            quantity.name: quantity.before
            for stage in trace.stages
            for quantity in stage.quantities
            if quantity.before is not None and quantity.before.ndim == 2
        }
        shapes = [self.weights[each.weight].shape for each in self.layers if each.weight in self.weights]
        fits = len(shapes) == len(self.layers) < MOST_COLUMNS
        self.drawn = bool(self.layers) and fits and all(max(shape) <= MOST_UNITS for shape in shapes)

    def after(self, stage: Stage) -> Units | None:
        """The net with what is known once the stage is over; None where it is not drawn, or nothing has changed."""
        if not self.drawn:
            return None
        shown = {"x", *(each.output for each in self.layers), *(each.gradient for each in self.layers)}
        changed = False
        for quantity in stage.quantities:
            if quantity.name in shown:
                self.known[quantity.name] = quantity.shown.reshape(-1)
                changed = True
            elif quantity.name in self.weights and quantity.before is not None:
                self.weights[quantity.name] = quantity.array
                changed = True
        if not changed:
            return None
        inputs = self.weights[self.layers[0].weight].shape[0]
        columns = [self._column("x", "", inputs)]
        for each in self.layers:
            columns.append(self._column(each.output, each.gradient, self.weights[each.weight].shape[1]))
        weights = tuple(self.weights[each.weight] for each in self.layers)
        title = f"After {stage.title.lower() if stage.phase == 'example' else stage.title}"
        return Units(title, ("x", *(each.layer for each in self.layers)), tuple(columns), weights)

    def _column(self, output: str, gradient: str, units: int) -> tuple[Unit, ...]:
        values, back = self.known.get(output), self.known.get(gradient)
        return tuple(
            Unit(
                "" if values is None else number(float(values[unit])),
                "" if back is None else f"δ {number(float(back[unit]))}",
            )
            for unit in range(units)
        )
