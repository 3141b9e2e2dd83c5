"""Tables as they come: columns of numbers, names and dates, in files of many kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import MinLen

from nnctl.components.base import Column
from nnctl.components.fields import NonEmptyStr
from nnctl.components.registry import Problem, register
from nnctl.components.signature import DataSignature
from nnctl.data.examples import Description, Examples
from nnctl.data.source import BALANCED, SPLITS, IgnoringSource, InMemory, Portion, SplitRule
from nnctl.data.split_by import SplitBy
from nnctl.data.table_file import TableFile
from nnctl.errors import DataError


@register("data", "table")
class TableSource(TableFile, IgnoringSource):
    """A table with one example a row: csv, tsv, txt, jsonl (packed or not), parquet, feather, arrow, xlsx, ods.

    What a column is, a number, a name or a date, is decided over all of its cells, unless `columns` says it. What the
    columns teach (means, categories, what stands for missing cells) comes from training rows alone and is kept with
    the net: columns of another table are found by name.
    """

    seeded = False
    example = "{type: table, path: houses.csv, target: price, columns: {id: ignore}, validation: 0.2}"
    of_files = (".csv", ".tsv", ".jsonl", ".parquet", ".feather", ".xlsx")

    undecided_targets = True
    weighs_rows = True

    path: Annotated[NonEmptyStr | None, "the file, relative to the spec; or say train"] = None
    train: Annotated[NonEmptyStr | None, "the file of the training rows, where validation and test have files"] = None
    # Wider than those of other sources: `portion` and `sampling` say what they mean there.
    validation: Annotated[
        Portion | NonEmptyStr | None,
        "rows held out for validation, a number or a share, or a file of them; none if absent or 0",
    ] = None  # type: ignore[assignment]
    test: Annotated[
        Portion | NonEmptyStr | None, "rows held out for the test, a number or a share, or a file of them"
    ] = None  # type: ignore[assignment]
    split: Annotated[
        SplitRule | SplitBy,
        "how rows are held out: stratified (each class in proportion; random where targets are values), random, "
        "ordered (training first, then validation, then test, as they lie in the file), or by a column: "
        "{by: customer}, {column: fold} or {time: signed_up}",
    ] = "stratified"  # type: ignore[assignment]
    target: Annotated[
        NonEmptyStr | Annotated[tuple[NonEmptyStr, ...], MinLen(1)], "the column to predict, by name, or several"
    ]
    columns: Annotated[
        dict[str, Column],
        "name: what the column is; those not listed are numbers, categories or dates, as their cells are",
    ] = field(default_factory=dict)
    in_memory: InMemory = None

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the target columns."""
        return self.target if isinstance(self.target, tuple) else (self.target,)

    @property
    def files(self) -> dict[str, str]:
        """The files by the split that they are for; that of all rows is train."""
        named = {"train": self.path or self.train, "validation": self.validation, "test": self.test}
        return {split: name for split, name in named.items() if isinstance(name, str)}

    @property
    def said(self) -> Mapping[str, Column]:
        """The columns that the spec names, with the table's decimal point where they say none."""
        return {name: column.in_table(self.decimal) for name, column in self.columns.items()}

    @property
    def sampling(self) -> SplitRule:
        """See `Source`."""
        return "stratified" if isinstance(self.split, SplitBy) else self.split

    def portion(self, split: Literal["validation", "test"]) -> Portion | None:
        """See `Source`; None where a file has the rows."""
        said = self.validation if split == "validation" else self.test
        return None if isinstance(said, str) else said

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits there will be, or may be where a column says it."""
        if isinstance(self.split, SplitBy) and self.split.column is not None:
            return SPLITS
        there = {*super().splits, *self.files}
        return tuple(name for name in SPLITS if name in there)

    def problems(self) -> Sequence[Problem]:
        """Roles that do not go together, encodings that there are not, and delimiters that cannot be told apart."""
        return [*self._of_files(), *self.text_problems(), *self._of_split(), *self._of_targets()]

    def signature(self, folder: Path, seed: int = 0) -> DataSignature:
        """The signature, from a full read: only the training rows tell the categories."""
        from nnctl.data.dataset import load_dataset

        return load_dataset(self, folder, seed).signature

    def read(self, folder: Path, seed: int) -> Examples:
        """Inputs that are fitted to the training rows; labels or values."""
        from nnctl.data.paths import existing_file
        from nnctl.data.tables.encoding import TableInputs
        from nnctl.data.tables.joined import read_joined
        from nnctl.data.tables.kinds import columns_of
        from nnctl.data.tables.rows import hints_of, without_gaps
        from nnctl.data.tables.targets import require_training, targets_of, weights_of

        files = {split: existing_file(name, folder) for split, name in self.files.items()}
        table, assigned, advice = read_joined(files, self.layout, self.in_memory)
        weight = () if self.weights is None or self.weights == BALANCED else (self.weights,)
        split = self.split if isinstance(self.split, SplitBy) else None
        aside = () if split is None or split.name is None else (split.name,)
        # What is left out may be in the first of several files alone.
        said = {name: column for name, column in self.said.items() if column.used or name in table.columns}
        kinds, doubts = columns_of(table, said, (*self.targets, *weight), aside)
        table, kept, dropped = without_gaps(table, said, (*kinds, *self.targets))
        hints = hints_of(table, said, split, None if assigned is None else assigned[kept], self.fold)
        targets, classes = targets_of(table, self.targets, self.target_type, said)
        if classes is not None and hints.assigned is not None:
            counted = tuple(map(str, self.classes or self.counted(classes) or ()))
            require_training(table.cells(self.targets[0]), targets, classes, counted, hints.assigned)
        description = Description((), classes=classes, target_shape=targets.shape[1:], examples=len(table))
        weights = weights_of(table, weight[0]) if weight else None
        inputs = TableInputs(table, kinds, self.targets, description)
        advice = (*advice, *doubts, *dropped)
        return Examples(description, inputs, targets, hints=hints, advice=advice, weights=weights)

    def example_error(self, folder: Path, seed: int, index: int, column: str, message: str) -> DataError:
        """The error for a cell, with the line of its row."""
        from nnctl.data.tables.encoding import TableInputs

        inputs = self.read(folder, seed).inputs
        assert isinstance(inputs, TableInputs)
        return inputs.table.cells(column).error(index, message)

    @property
    def texts(self) -> frozenset[str]:
        """See `TableFile`."""
        return frozenset(name for name, column in self.columns.items() if column.as_text)

    @property
    def notated(self) -> frozenset[str]:
        """See `TableFile`."""
        return frozenset(name for name in self.texts if self.columns[name].notated)

    @property
    def left_out(self) -> frozenset[str]:
        """See `TableFile`."""
        return frozenset(name for name, column in self.columns.items() if not column.used)

    def where(self, folder: Path) -> str:
        """The file of the training rows."""
        from nnctl.data.paths import resolve

        return str(resolve(self.files["train"], folder))

    def _of_files(self) -> list[Problem]:
        """Rows whose place is said twice, or not at all."""
        if self.path is None and self.train is None:
            return [Problem("path", "no file is named", "say path: the file; or train, validation and test: three")]
        if self.path is not None and self.train is not None:
            return [
                Problem(
                    "train", "path names the file of all rows, and train one of training rows", "remove one of both"
                )
            ]
        return []

    def _of_split(self) -> list[Problem]:
        """A split that is none, or two at once."""
        if not isinstance(self.split, SplitBy):
            return []
        if self.split.name is None:
            return [Problem("split", "it is by one of by, column and time", "as in {by: customer}")]
        found = []
        if self.split.name in self.targets and self.split.by is None:
            found.append(Problem("split", f"column {self.split.name} is the target", "split by another column"))
        if self.split.column is not None and len(self.files) > 1:
            found.append(Problem("split", "files say which rows are held out, and a column, too", "remove one of both"))
        if self.split.time is not None and self.fold is not None:
            message = "folds would train on later rows than they validate on, and the split is in time"
            found.append(Problem("fold", message, "remove one of both"))
        return found

    def _of_targets(self) -> list[Problem]:
        """Targets that are left out, or whose column asks for what is an input's."""
        found = []
        for name in self.targets:
            column = self.columns.get(name)
            if column is None:
                continue
            if not column.used:
                found.append(Problem("columns", f"column {name} is the target and is ignored"))
            filled = getattr(column, "missing", "error")
            if filled not in ("error", "drop"):
                message = f"column {name} is the target, and what is missing of it is not made up"
                found.append(Problem(f"columns.{name}", message, "say missing: drop"))
            if getattr(column, "scale", "standardize") == "min_max" or getattr(column, "embedding", None):
                message = f"column {name} is the target, and scale and embedding are of inputs"
                found.append(Problem(f"columns.{name}", message, "say target_transforms: [min_max]"))
        return found
