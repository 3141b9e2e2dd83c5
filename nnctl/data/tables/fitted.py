"""The columns that a net was trained with, as a checkpoint keeps them, and another table's columns for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from nnctl.components.base import Column
from nnctl.components.registry import components
from nnctl.data.words import cut, nearest, some
from nnctl.errors import DataError
from nnctl.late import dataclass


@dataclass(frozen=True)
class FittedColumns:
    """Columns, and what the training rows taught them.

    names: of all columns of the training table, in its order. targets: those that were learned. kinds: what each
    input is, by name, in the order of the inputs. cells: kinds of the cells of inputs and targets, as
    `nnctl.data.tables.cell_kinds` has them. fitted: what each `Column.fit` gave.
    """

    names: tuple[str, ...]
    targets: tuple[str, ...]
    kinds: Mapping[str, Column]
    cells: Mapping[str, str]
    fitted: Mapping[str, Mapping[str, Any]]

    def plain(self) -> dict[str, Any]:
        """The same as plain data, for `nnctl.data.examples.FittedInputs.fitted`."""
        return {
            "columns": dict(self.fitted),
            "kinds": {name: _plain(kind) for name, kind in self.kinds.items()},
            # A checkpoint keeps lists in order, mappings not.
            "inputs": list(self.kinds),
            "cells": dict(self.cells),
            "names": list(self.names),
            "targets": list(self.targets),
        }

    @classmethod
    def of(cls, fitted: Mapping[str, Any]) -> FittedColumns | None:
        """The columns that `plain` was made of; None where a source has none."""
        if "kinds" not in fitted:
            return None
        kinds = {name: _column(fitted["kinds"][name]) for name in fitted["inputs"]}
        return cls(tuple(fitted["names"]), tuple(fitted["targets"]), kinds, fitted["cells"], fitted["columns"])

    @property
    def numbered(self) -> bool:
        """True where the training table had no header, so that names are numbers."""
        return is_numbered(self.names)

    @property
    def features(self) -> tuple[str, ...]:
        """The column that each input is of, in the order of the inputs."""
        return tuple(
            name for name, kind in self.kinds.items() for _ in range(len(kind.features(name, self.fitted[name])))
        )

    def matched(self, found: Sequence[str], name: str, more: tuple[str, ...] = (), doubt: str = "") -> dict[str, str]:
        """Another table's column for each input, and for more than these, by name.

        name: of its file. doubt: see `Place.doubt`. Raises DataError.
        """
        if is_numbered(found) and not self.numbered:
            raise DataError(
                f"{name}: the first row holds no names of columns, and these are found by their names\n"
                f"  put a header before it: {some(list(self.kinds))}"
            )
        wanted, there = (*self.kinds, *more), set(found)
        if missing := [column for column in wanted if column not in there]:
            others = [column for column in found if column not in self.names]
            lacking = "is no column" if len(missing) == 1 else "are no columns"
            near = nearest(missing[0], others)
            hint = f"is {cut(missing[0])!r} called {cut(near)!r} there?" if near else f"it has {some(list(found))}"
            hint = hint if near else doubt or hint
            use = "the net reads" if missing[0] in self.kinds else "answers are measured by"
            raise DataError(f"{name}: there {lacking} {some(missing)}, which {use}\n  {hint}")
        return {column: column for column in wanted}

    def placed(self, found: Sequence[str], name: str, more: tuple[str, ...] = ()) -> dict[str, str]:
        """Another table's column for each input, and for more than these, by place.

        Of a table like that of training, or of the wanted columns alone. Raises DataError where it has more or fewer.
        """
        wanted = [column for column in self.names if column in self.kinds or column in more]
        if len(found) == len(self.names):
            return {column: found[self.names.index(column)] for column in wanted}
        if len(found) == len(wanted):
            return dict(zip(wanted, found, strict=True))
        raise DataError(
            f"{name} has {len(found):,} column{'s' * (len(found) != 1)}, and {len(wanted):,} are wanted\n"
            f"  give {some(wanted)}, in this order, or all {len(self.names):,} columns of the table of training"
        )


def is_numbered(names: Sequence[str]) -> bool:
    """True where the names of columns are their numbers: they were given where there was no header."""
    return list(names) == [str(i) for i in range(len(names))]


def _plain(column: Column) -> dict[str, Any]:
    assert is_dataclass(column)
    return {"type": column.type} | {field.name: getattr(column, field.name) for field in fields(column)}


def _column(plain: Mapping[str, Any]) -> Column:
    said = {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items() if key != "type"}
    column: Column = components("column")[plain["type"]](**said)
    return column
