"""The target columns of a table: labels with class names, or values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nnctl.components.base import Column
from nnctl.data.formats.precision import as_float32
from nnctl.data.labels import decide, encode, encode_texts
from nnctl.data.source import TargetType
from nnctl.data.tables.cells import Cells, Table
from nnctl.data.tables.kinds import different, require_plain, tell_apart
from nnctl.data.words import cut, key, some
from nnctl.errors import DataError


def targets_of(
    table: Table, names: Sequence[str], target_type: TargetType | None, said: Mapping[str, Column]
) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    """(labels int64 (n,), their classes), or (values float32 (n, k), None).

    said: what columns are, where the spec says it. Raises DataError.
    """
    for name in names:
        table.require(name)
    cells = [table.cells(name) for name in names]
    what = f"{table.place.name}, column {some(list(names))}"
    if len(cells) == 1 and _are_names(cells[0], said.get(names[0]), target_type):
        return _labels(cells[0])
    values = values_of(cells, said)
    # What the spec calls numbers or dates are no names of classes, unless it says that, too.
    if target_type is None and any(name in said for name in names):
        target_type = "values"
    if decide(values, target_type, what) == "labels":
        return encode(values[:, 0])
    return as_float32(values, what), None


def values_of(cells: Sequence[Cells], said: Mapping[str, Column]) -> NDArray[np.float64]:
    """The numbers of target columns, (n, columns), all finite. said: as in `targets_of`. Raises DataError."""
    values = np.stack([_amounts(column, said.get(column.name)) for column in cells], axis=1)
    for column, numbers in zip(cells, values.T, strict=True):
        if not np.isfinite(numbers).all():
            index = int(np.argmax(~np.isfinite(numbers)))
            raise (
                _missing(column, index)
                if np.isnan(numbers[index])
                else column.error(index, f"the target {numbers[index]} is not finite", "a number")
            )
    return values


def labels_among(cells: Cells, classes: Sequence[str], ignored: int | None) -> NDArray[np.int64]:
    """Labels (n,) of a target column of texts by the names of known classes; −1 for the label `ignored`.

    Raises DataError at one that is none of them.
    """
    codes, texts = cells.codes()
    places = {name: label for label, name in enumerate(classes)} | ({} if ignored is None else {str(ignored): -1})
    found = [next((places[name] for name in _names_of(text) if name in places), -2) for text in texts]
    labels = np.array([*found, -2], dtype=np.int64)[codes]
    if (labels < -1).any():
        index = int(np.argmax(labels < -1))
        if codes[index] < 0:
            raise cells.error(index, "the label is missing", "", "remove the row")
        message = f"{cut(texts[codes[index]])!r} is no class of the net"
        raise cells.error(index, message, f"one of {some(list(classes))}")
    return labels


def _names_of(text: str) -> Iterator[str]:
    """Names that a class may have whose label is written so: 1 for 1.0, true for True."""
    yield text
    if text.lower() in ("true", "false"):
        yield text.lower()
        yield str(int(text.lower() == "true"))
        return
    try:
        number = float(text)
    except ValueError:
        return
    yield str(int(number)) if number.is_integer() else str(number)


def require_training(
    cells: Cells,
    labels: NDArray[np.int64],
    classes: Sequence[str],
    counted: Collection[str],
    assigned: NDArray[np.int8],
) -> None:
    """Raise DataError at the first row that files or a column hold out, of a class that no training row has.

    labels (n,) of the target's cells; counted: names of the classes that take part; assigned (n,): as
    `nnctl.data.examples.SplitHints` has them.
    """
    if assigned.all():
        return
    lacking = np.bincount(labels[assigned == 0], minlength=len(classes)) == 0
    lacking &= np.array([name in counted for name in classes])
    if lacking.any():
        index = int(np.argmax(lacking[labels]))
        message = f"class {cut(classes[labels[index]])!r} has no training example"
        raise cells.error(index, message, "", "give training some, or leave the row out")


def _are_names(cells: Cells, said: Column | None, target_type: TargetType | None) -> bool:
    """True where a target column's cells name classes. Raises DataError where only a spec can say it."""
    if target_type is not None:
        return target_type == "labels"
    if said is not None:
        return said.named
    if pa.types.is_boolean(cells.values.type):
        return True
    if not cells.is_text:
        return False
    texts = different(cells)
    require_plain(cells, texts)
    if not tell_apart(cells, len(texts)):
        raise DataError(
            f"{cells.place.name}: the target {cut(cells.name)!r} holds {len(texts):,} different texts in "
            f"{len(cells):,} rows\n  if each is a class, say target_type: labels"
        )
    return True


def _labels(cells: Cells) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    codes, texts = cells.codes()
    if (codes < 0).any():
        raise _missing(cells, int(np.argmax(codes < 0)))
    there = np.unique(codes)
    return encode_texts([texts[code] for code in there], np.searchsorted(there, codes))


def _amounts(cells: Cells, said: Column | None) -> NDArray[np.float64]:
    if said is not None:
        return np.asarray(said.amounts(cells), dtype=np.float64)
    if cells.is_text:
        require_plain(cells, different(cells))
    return cells.numbers()


def _missing(cells: Cells, index: int) -> DataError:
    kind = "category" if cells.is_text else "number"
    hint = f"remove the row; or under data.columns say {key(cells.name)}: {{type: {kind}, missing: drop}}"
    if cells.is_number:
        hint += ", or category where numbers are classes"
    else:
        hint += '; or, where it is written and is a class, data.missing_values: [""]'
    return cells.error(index, f"the target {cut(cells.name)!r} is missing", "", hint)


def weights_of(table: Table, name: str) -> NDArray[np.float64]:
    """A column of weights, (n,). Raises DataError, at the line, for one that is missing, negative or not finite."""
    table.require(name)
    cells = table.cells(name)
    weights = cells.numbers()
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0.0)))
    if len(wrong):
        raise cells.error(int(wrong[0]), "this is no weight", "a finite number, 0 or more")
    return weights
