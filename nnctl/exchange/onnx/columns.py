"""Columns of tables and steps of series, made into inputs of a net by nodes of ONNX.

An encoding has one function, entered by `@encodes`. It gives the inputs, and where a row is sound: of one that
`predict` refuses, for an unknown name or a missing number, answers are NaN, for a model cannot refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.components.encodings import Dated, Named, Scaled
from nnctl.data.tables.cells import Cells, Table
from nnctl.data.tables.dates import instants
from nnctl.exchange.onnx.dates import part_of
from nnctl.exchange.onnx.formulas import BOOL, FLOAT, number
from nnctl.exchange.onnx.writer import Writer
from nnctl.exchange.raw import RawColumn, RawInputs, RawSteps
from nnctl.late import dataclass

if TYPE_CHECKING:
    from onnx import ValueInfoProto

DOUBLE, INT64, STRING = 11, 7, 8
"""ONNX's numbers for types of elements."""
ML = "ai.onnx.ml"
"""The domain of operators of ONNX for tables."""
NO_DATE = int(np.iinfo(np.int64).min)
"""The number that stands for a missing date, as in NumPy."""
_LARGEST = float(np.finfo(np.float32).max)

Made: TypeAlias = tuple[str, str | None]
"""Names of inputs (n, features) float32, and of numbers that are 1 where a row is sound, else 0; None where all are."""
Encoder: TypeAlias = Callable[[Writer, str, Any], Made]
"""(writer, input (n, 1), encoding) → what is made of it."""

ENCODERS: dict[type, tuple[int, str, Encoder]] = {}
"""Of each encoding the type of the elements that it takes, words on these, and its function."""


def encodes(encoding: type, element: int, words: str) -> Callable[[Encoder], Encoder]:
    """Enter the decorated function for an encoding."""

    def decorate(encoder: Encoder) -> Encoder:
        ENCODERS[encoding] = (element, words, encoder)
        return encoder

    return decorate


@dataclass(frozen=True)
class Entrance:
    """The inputs of a model that makes its own of raw ones.

    inputs: as the graph declares them. columns: names of the columns in each. made: the name of what enters the net;
    sound: of what is 1 for each sound number of an example, (n, …); None where all are.
    """

    inputs: tuple[ValueInfoProto, ...]
    columns: Mapping[str, tuple[str, ...]]
    made: str
    sound: str | None


def enter(w: Writer, raw: RawInputs, source: str, shape: Sequence[int | str]) -> Entrance:
    """Write the nodes that make inputs of raw ones.

    source: the name of the only input where all are numbers. shape: of what enters the net, its examples included.
    """
    if isinstance(raw, RawSteps):
        return _steps(w, raw, source, shape[:2])
    scaled = raw.scaled
    if scaled is not None:
        name = w.unique(source)
        w.writing(name)
        made, fits = _scaled(w, name, scaled)
        words = "numbers as the table has them, NaN where one is missing"
        info = _info(name, DOUBLE, ("batch", len(scaled)), words)
        return Entrance((info,), {name: tuple(c.name for c in raw.columns)}, made, fits)
    names = {column.name: w.unique(column.name or "column") for column in raw.columns}
    infos: list[ValueInfoProto] = []
    parts: list[Made] = []
    for column in raw.columns:
        name = names[column.name]
        w.writing(name)
        if column.encoding is None:
            words = "not the column itself, but the inputs that training made of it: " + ", ".join(column.features)
            infos.append(_info(name, FLOAT, ("batch", len(column.features)), words))
            parts.append((name, None))
        else:
            element, words, encoder = ENCODERS[type(column.encoding)]
            infos.append(_info(name, element, ("batch", 1), words))
            parts.append(encoder(w, name, column.encoding))
    w.writing("columns")
    made = w.add("Concat", *(part for part, _ in parts), axis=1)
    judged = [sound for _, sound in parts if sound is not None]
    sound = w.add("Concat", *judged, axis=1) if judged else None
    return Entrance(tuple(infos), {name: (column,) for column, name in names.items()}, made, sound)


def only_sound(w: Writer, answer: str, sound: str, axes: int) -> str:
    """Answers (n, …) of so many axes, NaN in the rows that are not sound."""
    w.writing("refused")
    flat = w.add("Reshape", sound, np.array([0, -1], np.int64))
    each = w.add("ReduceMin", flat, axes=[1], keepdims=0)
    rows = w.add("Cast", w.add("Reshape", each, np.array([-1] + [1] * (axes - 1), np.int64)), to=BOOL)
    return w.add("Where", rows, answer, number(float("nan")))


def fed(raw: RawInputs, entrance: Entrance, rows: Table | NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """The arrays that a model is given for raw rows, by the names of its inputs."""
    if isinstance(raw, RawSteps):
        assert isinstance(rows, np.ndarray)
        return {entrance.inputs[0].name: rows}
    assert isinstance(rows, Table)
    columns = {column.name: _given(column, rows.cells(column.name)) for column in raw.columns}
    return {name: np.concatenate([columns[c] for c in there], axis=1) for name, there in entrance.columns.items()}


def _given(column: RawColumn, cells: Cells) -> NDArray[Any]:
    """The cells as a model takes them, (n, 1)."""
    if column.encoding is None:
        made: NDArray[np.float32] = column.kind.encode(cells, column.fitted)
        return made
    if isinstance(column.encoding, Named):
        codes, texts = cells.codes()
        return np.array([*texts, ""], object)[codes][:, None]
    if isinstance(column.encoding, Dated):
        return instants(cells, column.encoding.format).astype(np.int64)[:, None]
    return np.asarray(column.kind.amounts(cells), np.float64)[:, None]


def _info(name: str, element: int, shape: Sequence[int | str], words: str) -> ValueInfoProto:
    from onnx import helper

    return helper.make_tensor_value_info(name, element, shape, words)


def _steps(w: Writer, raw: RawSteps, source: str, steps: Sequence[int | str]) -> Entrance:
    """Numbers (*steps, columns); of sequences with an end, one more column that tells where there are steps."""
    name = w.unique(source)
    w.writing(name)
    made, sound = _scaled(w, name, raw.scaled)
    words = "steps of numbers as the table has them"
    if raw.ended:
        words += "; behind the end of a sequence NaN in every column"
        absent = w.add("Cast", w.add("IsNaN", name), to=FLOAT)
        gone = w.add("ReduceMin", absent, axes=[2], keepdims=1)
        there = w.add("Sub", number(1.0), gone)
        before = w.add("CumSum", gone, np.array(1, np.int64))
        follows = w.add("Mul", there, before)
        in_order = w.add("Cast", w.add("Equal", follows, number(0.0)), to=FLOAT)
        begins = w.add("Gather", there, np.array([0], np.int64), axis=1)
        sound = w.add("Mul", w.add("Mul", w.add("Max", sound, gone), in_order), begins)
        made = w.add("Concat", made, there, axis=2)
    info = _info(name, DOUBLE, (*steps, len(raw.names)), words)
    return Entrance((info,), {name: raw.names}, made, sound)


def wide(w: Writer, values: Any) -> str:
    """An array of the graph's own in double precision."""
    return w.constant(np.asarray(values, np.float64), "constant", double=True)


@encodes(Scaled, DOUBLE, "a number as the table has it, NaN where it is missing; true is 1 and false 0")
def _one_scaled(w: Writer, x: str, encoding: Scaled) -> Made:
    return _scaled(w, x, (encoding,))


def _scaled(w: Writer, x: str, encodings: Sequence[Scaled]) -> tuple[str, str]:
    """Numbers (…, k), each by its own encoding: (…, k and flags), (…, k)."""
    values = x
    missing = w.add("IsNaN", x)
    if any(each.fill is not None for each in encodings):
        fills = [np.nan if each.fill is None else each.fill for each in encodings]
        values = w.add("Where", missing, wide(w, fills), x)
    shifted = w.add("Sub", values, wide(w, [each.shift for each in encodings]))
    scaled = w.add("Mul", shifted, wide(w, [each.scale for each in encodings]))
    fits = w.add("LessOrEqual", w.add("Abs", scaled), wide(w, _LARGEST))
    made = w.add("Cast", w.add("Where", fits, scaled, wide(w, 0.0)), to=FLOAT)
    if any(each.flag for each in encodings):
        flags = w.add("Cast", missing, to=FLOAT)
        order: list[int] = []
        for place, each in enumerate(encodings):
            order += [place, *([len(encodings) + place] if each.flag else [])]
        both = w.add("Concat", made, flags, axis=-1)
        made = w.add("Gather", both, np.array(order, np.int64), axis=-1)
    return made, w.add("Cast", fits, to=FLOAT)


@encodes(Named, STRING, "a name as the table has it, an empty text where it is missing")
def _named(w: Writer, x: str, encoding: Named) -> Made:
    numbers: dict[str, float] = {"": _or_nan(encoding.missing), **encoding.numbers}
    found = w.add(
        "LabelEncoder", x, domain=ML, keys_strings=list(numbers), values_floats=list(numbers.values()),
        default_float=_or_nan(encoding.unseen),
    )  # fmt: skip
    unknown = w.add("IsNaN", found)
    made = w.add("Where", unknown, number(0.0), found)
    if encoding.width is not None:
        places = np.arange(encoding.width, dtype=np.float32)[None]
        made = w.add("Cast", w.add("Equal", made, places), to=FLOAT)
    return made, w.add("Cast", w.add("Not", unknown), to=FLOAT)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


@encodes(
    Dated,
    INT64,
    f"a date in microseconds since 1970, as datetime64[us] in int64; {NO_DATE} where it is missing, as NaT is there",
)
def _dated(w: Writer, x: str, encoding: Dated) -> Made:
    absent = w.add("Equal", x, np.array(NO_DATE, np.int64))
    present = w.add("Where", absent, np.array(encoding.fill or 0, np.int64), x)
    made: list[str] = []
    for part in encoding.parts:
        values = part_of(w, present, part.part)
        first, second = part.numbers
        if part.how == "scaled":
            real = values if part.part == "elapsed" else w.add("Cast", values, to=DOUBLE)
            scaled = w.add("Mul", w.add("Sub", real, wide(w, first)), wide(w, second))
            made.append(w.add("Cast", scaled, to=FLOAT))
        elif part.how == "one_hot":
            places = np.arange(first, first + second).astype(np.int64)[None]
            made.append(w.add("Cast", w.add("Equal", values, places), to=FLOAT))
        else:
            # Sines and cosines of all values that there are, one of them looked up.
            angles = np.arange(first + second) * (2 * np.pi / second)
            points = np.stack([np.sin(angles), np.cos(angles)], axis=1)
            row = w.add("Reshape", values, np.array([-1], np.int64))
            made.append(w.add("Gather", points, row, axis=0))
    flag = w.add("Cast", absent, to=FLOAT)
    if encoding.flag:
        made.append(flag)
    return w.add("Concat", *made, axis=1), w.add("Sub", number(1.0), flag) if encoding.fill is None else None
