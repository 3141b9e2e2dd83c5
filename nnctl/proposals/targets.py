"""Targets of tables: which column they stand in, whether they are classes or amounts, and what gives them away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nnctl.data.tables import numerals
from nnctl.data.tables.cells import Cells, Table
from nnctl.data.tables.kinds import different
from nnctl.data.words import cut, some
from nnctl.errors import DataError, UsageError
from nnctl.late import dataclass
from nnctl.proposals import nets
from nnctl.proposals.columns import (
    FEW,
    GROUPED,
    MOSTLY_DIFFERENT,
    are_digits,
    count_of,
    decide_grouped,
    gaps_in,
    words_of,
)
from nnctl.proposals.proposal import Answer
from nnctl.spec.noted import Noted

MOST_CLASSES = 20
"""Different whole numbers up to which they are taken for classes."""
_NAMES = frozenset(
    ["target", "label", "class", "y", "species", "outcome", "survived", "churn", "churned", "diagnosis", "response"]
)
_EXACTLY = 1e-9
_LEAST_ROWS = 10
"""Rows from which on a column that goes with the target does so by no chance."""


@dataclass(frozen=True)
class Target:
    """A target column as it is proposed.

    fields: of data. column: what the spec says of the column, if anything. advice: sentences for whoever asked.
    """

    answer: Answer
    fields: dict[str, object]
    column: Noted | None = None
    advice: list[str] = field(default_factory=list)


def are_classes(numbers: NDArray[Any]) -> bool:
    """True where numbers (n,), NaN where one is missing, are truth values or few different whole ones."""
    if numbers.dtype.kind == "b":
        return True
    present = numbers[np.isfinite(numbers)] if numbers.dtype.kind == "f" else numbers
    found = np.unique(present)
    few = 0 < len(found) <= min(MOST_CLASSES, len(present) / nets.LEAST_OF_A_CLASS)
    return bool(few and np.all(found == np.floor(found)))


def column_of(table: Table, given: str | None) -> tuple[str, str]:
    """(the name of the target's column, why it is that). Raises DataError, UsageError."""
    names = list(table.columns)
    if len(names) < 2:
        raise DataError(f"{table.place.name} has one column: there is nothing to predict it from")
    if given is not None:
        table.require(given)
        return given, ""
    likely = [name for name in names if _NAMES.intersection(words_of(name))]
    if len(likely) == 1:
        return likely[0], "by its name; --target says another"
    candidates = likely or names
    raise UsageError(
        f"{table.place.name}: which column is to be predicted?\n  say --target NAME, one of {some(candidates)}"
    )


def describe(cells: Cells) -> Target:
    """The proposal for a target column. Raises DataError where it is none."""
    name, values = cut(cells.name), cells.values
    gaps = gaps_in(cells)
    if gaps == len(cells):
        raise DataError(f"{cells.place.name}: the target {name!r} holds nothing but missing cells")
    if not cells.is_text and not cells.is_number:
        raise DataError(f"{cells.place.name}: the target {name!r} holds {values.type}: choose numbers or names")
    if count_of(cells) == 1:
        only = cut(str(different(cells)[0].as_py()))
        raise DataError(
            f"{cells.place.name}: every target is {only!r}: there is nothing to tell apart\n"
            "  give it rows of another one, or choose another column by --target"
        )
    if readings := _readings_of(cells):
        example = repr(cut(different(cells)[0].as_py()))
        others = " or ".join(f"{{{reading.fields}}}" for reading in readings[1:])
        doubt = f"the target {name!r}: {example} is read by {{{readings[0].fields}}}; or is it {others}?"
        return _amounts(
            {"type": "number", **readings[0].said}, f"written as {example}", gaps, [doubt] if others else []
        )
    if not cells.is_text and not (pa.types.is_boolean(values.type) or are_classes(cells.numbers())):
        if not np.isfinite(cells.numbers()[~np.isnan(cells.numbers())]).all():
            raise DataError(f"{cells.place.name}: the target {name!r} has infinite numbers\n  remove these rows")
        return _amounts({"type": "number"}, "", gaps)
    return _classes(cells)


def describe_grouped(cells: Cells, comma: str) -> Target:
    """The proposal for a target of amounts whose point stands between groups, from its texts; see `decide_grouped`."""
    decided = decide_grouped(cells, comma)
    fields = {"type": "number", **GROUPED.said}
    return _amounts(fields, decided.why, gaps_in(cells), [decided.doubt.replace("column", "the target", 1)])


def says_again(cells: Cells, target: Cells, numbers: NDArray[np.float64] | None) -> str:
    """The words for how a column says the target again; nothing where it does not. numbers: see `numbers_of`, of it."""
    both = pc.and_(pc.is_valid(cells.values), pc.is_valid(target.values))
    rows = np.flatnonzero(np.asarray(both.to_numpy(), dtype=bool))
    if len(rows) < _LEAST_ROWS:
        return ""
    one, other = cells.take(rows), target.take(rows)
    b = None if numbers is None else numbers[rows]
    # Of a wide table this is asked for each column: what takes long is looked at where it decides.
    a = None if b is None else numbers_of(one)
    if a is not None and b is not None:
        if not (np.isfinite(a).all() and np.isfinite(b).all() and a.std() and b.std()):
            return ""
        r = float(np.corrcoef(a, b)[0, 1])
        if abs(r) > 1 - _EXACTLY:
            return f"it says the target again: their correlation is {r:.3g}"
    kinds, target_kinds = (count_of(each) for each in (one, other))
    if not 1 < kinds == target_kinds < len(rows) / 2:
        return ""
    codes, target_codes = one.codes()[0], other.codes()[0]
    pairs = len(np.unique(codes * (target_codes.max() + 1) + target_codes))
    return "it says the target again: each of its values goes with one of the target's" if pairs == kinds else ""


def numbers_of(cells: Cells) -> NDArray[np.float64] | None:
    """The numbers of cells, written in whatever way; None where they are none."""
    if cells.is_number:
        return cells.numbers()
    readings = _readings_of(cells)
    return readings[0].numbers(cells) if readings else None


def _readings_of(cells: Cells) -> list[numerals.Notation]:
    """Ways to read texts as numbers; none of what is digits and was yet kept as texts, such as 007."""
    if not cells.is_text or not len(texts := different(cells)) or are_digits(texts):
        return []
    return numerals.notations(texts)


def _amounts(column: Mapping[str, object], why: str, gaps: int, advice: Sequence[str] = ()) -> Target:
    fields: dict[str, object] = {
        "target_type": Noted("values", "amounts: one linear unit answers"),
        "target_transforms": Noted(["standardize"], "for the cost; answers and metrics are in the target's own units"),
    }
    said = None
    if gaps:
        said = Noted({**column, "missing": "drop"}, "; ".join(filter(None, [why, _dropped(gaps)])))
    elif len(column) > 1:
        said = Noted(column, why)
    return Target(Answer(None), fields, said, list(advice))


def _classes(cells: Cells) -> Target:
    codes, texts = cells.codes()
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    sizes = {text: int(count) for text, count in zip(texts, counts, strict=True) if count}
    name, gaps = cut(cells.name), gaps_in(cells)
    rows = sum(sizes.values())
    if len(sizes) > FEW and len(sizes) > MOSTLY_DIFFERENT * rows:
        raise DataError(
            f"{cells.place.name}: the target {name!r} holds {len(sizes):,} different texts in {rows:,} rows, which are "
            "no classes\n  choose another column by --target"
        )
    shown = ", ".join(f"{cut(text)} {sizes[text]:,}" for text in sorted(sizes)[:6]) + (", …" if len(sizes) > 6 else "")
    advice = nets.too_few(sizes, "row")
    said = Noted({"type": "category", "missing": "drop"}, _dropped(gaps)) if gaps else None
    why = f"{len(sizes):,} classes: {shown}"
    return Target(Answer(list(sizes.values())), {"target_type": Noted("labels", why)}, said, advice)


def _dropped(gaps: int) -> str:
    return f"{gaps:,} row{'s' * (gaps != 1)} without it left out"
