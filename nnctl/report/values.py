"""Sections on the values that a net answers: predicted against true, residuals, the worst examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nnctl.figures.figure import Axis, Bars, Chart, Curve, Points, Table
from nnctl.figures.scales import number
from nnctl.inference.examination import ValuesExamined
from nnctl.inference.residuals import ValueResult, histogram
from nnctl.report.examples import Examples
from nnctl.report.section import Drawn, Listed, Part, Prose, Section, Tiles

_UNITS = 4
"""Units of a net's answer that are drawn apart; of more all are drawn together."""
_LISTED = 100
"""Units whose errors are listed."""
_COMPARED = 4
"""Of the worst examples of many values so many are drawn."""
_POINTS = 600
"""Points of a chart."""


def sections_on_values(
    found: ValuesExamined, examples: Examples, said: str, targets: Sequence[str]
) -> Iterator[Section]:
    """The sections. said: of which weights and of which examples they are. targets: names of columns, where known."""
    yield Section("Predicted and true", tuple(_predicted(found, said)))
    yield Section("Residuals", tuple(_residuals(found)))
    yield Section("Worst examples", tuple(_worst(found, examples, targets)))


def _predicted(found: ValuesExamined, said: str) -> Iterator[Part]:
    whole = found.residuals.of_all()
    tiles: list[tuple[str, float | str]] = [("mean absolute error", whole.mae), ("root mean square", whole.rmse)]
    tiles += [("R²", whole.r2)] if whole.r2 is not None else []
    yield Tiles((*tiles, ("mean error", whole.bias)))
    yield Prose(f"{said}. An error is the answer less the target.")
    for title, answers, targets in _drawn(found):
        kept = _spread(len(answers))
        a, y = answers[kept], targets[kept]
        low, high = (float(each) for each in (y.min(initial=np.inf), y.max(initial=-np.inf)))
        layers = (
            Points("examples", y, a),
            Curve("as predicted", np.array([low, high]), np.array([low, high]), dashed=True),
        )
        chart = Chart(
            f"Predicted against true{title}", Axis("true", linear=True), Axis("predicted", linear=True), layers
        )
        yield Drawn(chart, _how_many(kept, answers), listed=True)
    each = found.residuals.of_each()
    if len(each) > 1:
        caption = "Errors of each unit" + (f", the first {_LISTED} of {len(each):,}" if len(each) > _LISTED else "")
        rows = tuple((unit, *_numbers(result)) for unit, result in enumerate(each[:_LISTED]))
        yield Listed(caption, Table(("unit", "mean error", "mean absolute", "root mean square", "R²"), rows))


def _numbers(result: ValueResult) -> tuple[float | None, ...]:
    return result.bias, result.mae, result.rmse, result.r2


def _residuals(found: ValuesExamined) -> Iterator[Part]:
    for title, answers, targets in _drawn(found):
        kept = _spread(len(answers))
        error = answers - targets
        level = np.array([answers[kept].min(initial=np.inf), answers[kept].max(initial=-np.inf)])
        layers = Points("examples", answers[kept], error[kept]), Curve("no error", level, np.zeros(2), dashed=True)
        chart = Chart(
            f"Errors by prediction{title}", Axis("predicted", linear=True), Axis("error", linear=True), layers
        )
        yield Drawn(chart, _how_many(kept, answers), listed=True)
        middles, counts = histogram(error)
        names = tuple(number(float(middle)) for middle in middles)
        bars = (Bars("values", counts.astype(np.float64)),)
        chart = Chart(f"How large errors are{title}", Axis("error", categories=names), Axis("values"), bars)
        yield Drawn(chart)


def _worst(found: ValuesExamined, examples: Examples, targets: Sequence[str]) -> Iterator[Part]:
    """The examples with the largest errors, with their answers and targets where these are few."""
    units = len(found.worst[0][2]) if found.worst else 0
    numbers = [""] if units == 1 else [f" {unit}" for unit in range(units if units <= _UNITS else 0)]
    heads = ("root mean squared error", *(f"{what}{number}" for what in ("predicted", "true") for number in numbers))
    said = [(error**0.5, *((*a.tolist(), *y.tolist()) if numbers else ())) for _, error, a, y in found.worst]
    yield examples.part("The largest errors", [place for place, *_ in found.worst], heads, said)
    yield from _compared(found, targets)


def _compared(found: ValuesExamined, targets: Sequence[str]) -> Iterator[Part]:
    """The worst examples of many values as curves; of a series, whose values are steps of its targets, one a target."""
    units = found.worst[0][2].size if found.worst else 0
    if not _UNITS < units <= _POINTS:
        return
    several = targets if 1 < len(targets) < units and units % len(targets) == 0 else [""]
    steps = np.arange(units // len(several), dtype=np.float64)
    for place, _, a, y in found.worst[: max(1, _COMPARED // len(several))]:
        for at, name in enumerate(several[:_COMPARED]):
            one = slice(at, None, len(several))
            curves = Curve("predicted", steps, a[one]), Curve("true", steps, y[one], dashed=True)
            title = f"Example {place}{name and ', '}{name}: predicted and true"
            yield Drawn(Chart(title, Axis("step" if name else "value"), Axis("", linear=True), curves))


def _drawn(found: ValuesExamined) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(what is added to a title, answers, targets), (n,) each, of each unit or of all together."""
    units = found.answers.shape[1]
    if units > _UNITS:
        yield f", all {units:,} units", found.answers.reshape(-1), found.targets.reshape(-1)
        return
    for unit in range(units):
        yield "" if units == 1 else f", unit {unit}", found.answers[:, unit], found.targets[:, unit]


def _spread(count: int) -> np.ndarray:
    """Places that are drawn, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, _POINTS)).round().astype(np.int64))


def _how_many(kept: np.ndarray, values: np.ndarray) -> str:
    return f"{len(kept):,} of {len(values):,} values" if len(kept) < len(values) else ""
