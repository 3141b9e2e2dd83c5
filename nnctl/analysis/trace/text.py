"""Traces as lines of text: a stage at a time, its formulas with the numbers put in."""

from __future__ import annotations

from collections.abc import Iterator

from nnctl.analysis.trace.stages import EQUATIONS, FIRST, WHOLE, Array, Quantity, Stage, Trace, summary
from nnctl.ops.shapes import show
from nnctl.screen.characters import word

NAME, FORMULA = 80, 800
"""Characters of a name and of a formula, in which layers have the names that their spec gives them."""


def heading(trace: Trace) -> list[str]:
    """Lines on what is traced, under which conditions, and the four equations."""
    facts = ", ".join(f"{name.replace('_', ' ')} {_fact(value)}" for name, value in trace.facts.items())
    return [
        facts,
        *trace.words,
        "",
        *(f"  {name}  {formula}" for name, formula in EQUATIONS.items()),
        "Weights are stored (inputs, units): w[k, j] here is the book's wⱼₖ. Indices count from 0.",
    ]


def stage_lines(stage: Stage, number: int, count: int) -> Iterator[str]:
    """A stage, numbered, with all that it computes."""
    yield f"{number}/{count}  {word(stage.title)}"
    yield from (f"  {said}" for said in stage.words)
    for quantity in stage.quantities:
        yield ""
        yield from _quantity(quantity)


def _quantity(quantity: Quantity) -> Iterator[str]:
    array = quantity.shown
    label = f"  {quantity.equation}" if quantity.equation else ""
    shape = f" {show(array.shape)}" if array.shape else ""
    yield f"  {word(quantity.name, NAME)}{shape} = {word(quantity.formula, FORMULA)}{label}"
    if quantity.words:
        yield f"      {quantity.words}"
    yield from (f"      {line}" for line in contents_of(quantity))


def contents_of(quantity: Quantity) -> Iterator[str]:
    """Lines with the numbers of a quantity: worked out, or as they are, and the size of a large array."""
    array, old = quantity.shown, quantity.old
    if not quantity.lines:
        yield values_of(array)
    else:
        heads = [_place(line.index) for line in quantity.lines]
        for head, line in zip(heads, quantity.lines):
            before = "" if old is None else f"   (was {old[line.index]:.6g}, {_signed(line.value - old[line.index])})"
            at = f"{head:<{max(map(len, heads))}}  " if head else ""
            yield f"{at}{line.numbers} = {line.value:.6g}{before}"
    if array.size > WHOLE:
        yield f"… {array.size:,} numbers: {measures(array)}"
        if old is not None:
            yield f"the change: {measures(array - old)}"


def values_of(array: Array) -> str:
    """The numbers of an array in a line: all of a small one, the first of another."""
    flat = array.reshape(-1)
    shown = ", ".join(f"{float(each):.6g}" for each in flat[: WHOLE if len(flat) <= WHOLE else FIRST])
    return f"[{shown}{', …' if len(flat) > WHOLE else ''}]" if array.shape else shown


def measures(array: Array) -> str:
    """Norm and extremes in words."""
    of = summary(array)
    return f"‖·‖ = {of['norm']:.5g}, from {of['min']:.5g} to {of['max']:.5g}"


def _place(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]" if index else ""


def _signed(change: float) -> str:
    return f"{change:+.6g}"


def _fact(value: object) -> str:
    return word(str(value)) if value is not None else "none"
