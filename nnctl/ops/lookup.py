"""Rows of a trained table, and what marks the steps of a sequence that are filled in."""

from __future__ import annotations

from typing import Any

from nnctl.ops.shapes import TensorType, product, show
from nnctl.ops.table import Sample, op


def _lookup_type(table: TensorType, index: TensorType) -> TensorType:
    if len(table.shape) != 2 or index.dtype != "index":
        raise ValueError(f"lookup reads rows of a matrix by indices, got {table} and {index}")
    return TensorType((*index.shape, table.shape[1]))


def _lookup_sample(rng: Any) -> Sample:
    rows, units = (int(n) for n in rng.integers(1, 5, size=2))
    return [rng.standard_normal((rows, units)), rng.integers(0, rows, size=(2, 3))], {}


def _lookup_derivative(builder: Any, g: Any, y: Any, table: Any, index: Any) -> list[Any]:
    return [builder.apply("add_rows", g, index, rows=table.shape[0]), None]


@op("lookup", type_rule=_lookup_type, derivative=_lookup_derivative, cost=lambda *_: 0, sample=_lookup_sample)
def lookup(xp: Any, table: Any, index: Any) -> Any:
    """Rows `index` (…) of a trained table (rows, units): (…, units)."""
    return table[index]


@op(
    "as_index",
    type_rule=lambda x: TensorType(x.shape, "index"),
    sample=lambda rng: ([rng.integers(0, 9, size=(2, 3)).astype(float)], {}),
)
def as_index(xp: Any, x: Any) -> Any:
    """Whole numbers x, stored as real ones, as indices."""
    return xp.asarray(xp.real(x), dtype=int)


def _add_rows_type(x: TensorType, index: TensorType, *, rows: int) -> TensorType:
    if x.shape[:-1] != index.shape:
        raise ValueError(f"rows {show(x.shape)} and indices {show(index.shape)} do not belong together")
    return TensorType((rows, x.shape[-1]))


def _add_rows_sample(rng: Any) -> Sample:
    rows, units = (int(n) for n in rng.integers(1, 5, size=2))
    return [rng.standard_normal((2, 3, units)), rng.integers(0, rows, size=(2, 3))], {"rows": rows}


@op(
    "add_rows",
    type_rule=_add_rows_type,
    derivative=lambda builder, g, y, x, index, *, rows: [builder.apply("lookup", g, index), None],
    cost=lambda x, index, *, rows: product(x.shape),
    sample=_add_rows_sample,
)
def add_rows(xp: Any, x: Any, index: Any, *, rows: int) -> Any:
    """A table of zeros with x (…, units) added at the rows `index`, repeated ones several times: lookup's transpose."""
    table = xp.zeros((rows, x.shape[-1]), dtype=x.dtype)
    xp.add.at(table, index, x)
    return table


@op(
    "differs",
    type_rule=lambda x, *, value: TensorType(x.shape if x.dtype == "index" else x.shape[:-1], "index"),
    sample=lambda rng: ([rng.integers(0, 2, size=(2, 3))], {"value": 0.0}),
)
def differs(xp: Any, x: Any, *, value: float) -> Any:
    """1 at the steps of a sequence that hold something else than `value`, else 0.

    x: indices (batch, time), or numbers (batch, time, features), of which one that differs is enough.
    """
    if x.dtype.kind in "iu":
        return 1 - xp.equal(x, value)
    return 1 - xp.prod(xp.equal(x, value), axis=-1)
