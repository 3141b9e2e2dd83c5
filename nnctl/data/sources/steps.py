"""Tables whose rows are steps: windows over series, as examples of what comes next, and whole sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field as dataclass_field
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from annotated_types import MinLen

from nnctl.components.base import Transform
from nnctl.components.fields import NonEmptyStr, PositiveInt
from nnctl.components.registry import Problem, register
from nnctl.components.signature import DataSignature
from nnctl.data.examples import Description, Examples
from nnctl.data.source import SPLITS, IgnoringSource, Portion, Source
from nnctl.data.table_file import TableFile
from nnctl.data.transforms import Standardize
from nnctl.data.words import cut
from nnctl.errors import DataError
from nnctl.late import dataclass

if TYPE_CHECKING:
    from nnctl.data.series.timeline import Timeline
    from nnctl.data.tables.cells import Table

Names = Annotated[tuple[NonEmptyStr, ...], MinLen(1)]


@dataclass(frozen=True, kw_only=True)
class StepTable(TableFile, Source):
    """A table whose rows are steps of series; the fields that all such data have."""

    seeded = False

    path: Annotated[NonEmptyStr, "the file, relative to the spec"]
    group: Annotated[NonEmptyStr | None, "the column that says whose series a row is; one series if absent"] = None
    time: Annotated[
        NonEmptyStr | None,
        "the column of numbers or dates that orders the rows of a series; they are in order if absent",
    ] = None
    missing: Annotated[
        Literal["error", "previous", "interpolate"],
        "what fills a gap: the value before it, or a line from that to the one behind, which a forecast cannot know",
    ] = "error"
    scale: Annotated[
        Literal["standardize", "min_max", "none"],
        "each column of inputs by the steps that training reads: mean 0 and standard deviation 1, or from 0 to 1, or "
        "as it is",
    ] = "standardize"

    def problems(self) -> Sequence[Problem]:
        """Ways to read a text that there are not."""
        return [*super().problems(), *self.text_problems()]

    def table(self, folder: Path, path: str | None = None) -> Table:
        """Its table, or another that is laid out like it. Raises DataError."""
        from nnctl.data.paths import existing_file
        from nnctl.data.tables.reading import open_table

        return open_table(existing_file(self.path if path is None else path, folder), self.layout, None)

    def _rest(self, table: Table, others: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Columns that are inputs where none is named."""
        return tuple(name for name in table.columns if name not in (self.group, self.time, *others))

    def where(self, folder: Path) -> str:
        """The file."""
        from nnctl.data.paths import resolve

        return str(resolve(self.path, folder))


@register("data", "sequences")
class SequenceSource(StepTable, IgnoringSource):
    """Sequences from a table, one a group, of unequal lengths: to classify them, or each of their steps.

    An example's inputs are (length, columns + 1): the last is 1 at each of its steps, and behind these all are 0. Where
    recurrent layers read `{type: mask, value: 0}`, too, the answer is that to the sequence alone. Of labels a step, the
    cost and metrics leave out those behind the end.
    """

    example = "{type: sequences, path: strokes.csv, group: stroke, target: letter, validation: 0.2}"

    group: Annotated[NonEmptyStr, "the column that says whose sequence a row is"] = dataclass_field()
    columns: Annotated[Names | None, "the inputs, by name; all but group, time and target if absent"] = None
    target: Annotated[NonEmptyStr | Names, "the column to predict, or several of values"]
    per: Annotated[
        Literal["sequence", "step"], "what has a target: a sequence, in whose rows it is always the same, or each step"
    ] = "sequence"
    length: Annotated[PositiveInt | None, "steps of an example; of the longest sequence if absent"] = None

    undecided_targets = True

    @property
    def fills_up(self) -> bool:
        """True: lengths of sequences are those of groups."""
        return True

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets' columns."""
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def ignored(self) -> int | None:
        """The label, as the spec says it; of steps -100 where it says none, for those that there are not."""
        return -100 if self.ignore is None and self.per == "step" else self.ignore

    def problems(self) -> Sequence[Problem]:
        """Columns with two roles, and values of steps, which cannot be left out."""
        found = [*super().problems()]
        for name in (self.group, self.time):
            if name is not None and name in (*(self.columns or ()), *self.targets):
                field = "columns" if name in (self.columns or ()) else "target"
                found.append(Problem(field, f"column {name} orders the sequences, and is no number of a step"))
        both = [name for name in self.targets if name in (self.columns or ())]
        if both:
            found.append(Problem("columns", f"column {both[0]} is the target, too"))
        if self.per == "step" and (self.target_type == "values" or len(self.targets) > 1):
            message = "a step has one label: values of steps that there are not could not be left out of the cost"
            found.append(Problem("per", message, "say per: sequence"))
        return found

    def elsewhere(self, path: Path, signature: DataSignature, fitted: Mapping[str, Any]) -> Self:
        """The sequences of another table."""
        roles: dict[str, Any] = {
            "columns": tuple(fitted["inputs"]),
            "length": signature.input_shape[0],
            "classes": None,
        }
        return replace(self, path=str(path), **roles)

    def describe(self, folder: Path) -> Description:
        """The description, from a full read: only that tells the length."""
        return self.read(folder, 0).description

    def read(self, folder: Path, seed: int) -> Examples:
        """Inputs that are fitted to the training sequences; labels (n,) or (n, length), or values."""
        import numpy as np

        from nnctl.data.series.columns import Numbers
        from nnctl.data.series.sequences import SequenceInputs, of_sequences, of_steps, require_length
        from nnctl.data.series.timeline import Timeline
        from nnctl.data.tables.targets import targets_of

        table = self.table(folder)
        timeline = Timeline.of(table, self.group, self.time)
        inputs = self.columns or self._rest(table, self.targets)
        length = int(timeline.lengths.max()) if self.length is None else self.length
        require_length(timeline, length, table.place.name, ": length says it")
        targets, classes = targets_of(table, self.targets, self.target_type, {})
        if self.per == "sequence":
            targets = of_sequences(targets, timeline, table, self.targets[0])
        elif classes is None:
            raise DataError(
                f"{table.place.name}: column {cut(self.targets[0])!r} holds values, and those of steps that there are "
                "not could not be left out of the cost\n  if they are classes, say target_type: labels",
                "per",
            )
        else:
            classes = classes if str(self.ignored) in classes else (*classes, str(self.ignored))
            targets = of_steps(targets, timeline, length, classes.index(str(self.ignored)))
        numbers = Numbers.of(table, timeline, inputs, self.missing)
        description = Description(
            (length, len(inputs) + 1), classes=classes, target_shape=targets.shape[1:], examples=len(targets)
        )
        unfitted = SequenceInputs(numbers, inputs, self.targets, np.arange(len(targets)), self.scale, description)
        return Examples(description, unfitted, targets, advice=timeline.advice)


@register("data", "series")
class SeriesSource(StepTable):
    """Windows over series from a table: from `window` steps of some columns, the `horizon` steps that follow.

    An example's inputs are (window, columns), its targets (horizon · targets,), step after step. Each series is split
    in time: its last steps are for the test, those before them for validation, and no target lies on two sides. The
    inputs of validation and test may lie before their border, as they do when a forecast is made.
    """

    example = "{type: series, path: energy.csv, time: hour, target: load, window: 48, horizon: 24, test: 0.2}"

    columns: Annotated[Names | None, "the inputs, by name; all but those of group and time if absent"] = None
    target: Annotated[NonEmptyStr | Names | None, "the column to forecast, or several; all inputs if absent"] = None
    known: Annotated[
        tuple[NonEmptyStr, ...],
        "inputs whose future is known, as that of a calendar: `predict --forecast` reads it from rows without a target",
    ] = ()
    window: Annotated[PositiveInt, "steps that an example reads"]
    horizon: Annotated[PositiveInt, "steps that it forecasts"] = 1
    stride: Annotated[PositiveInt, "steps from an example to the next"] = 1
    validation: Annotated[Portion | None, "steps of each series before those of the test, a number or a share"] = None
    test: Annotated[Portion | None, "the last steps of each series, a number or a share"] = None
    split: Annotated[Literal["ordered"], "series are split in time"] = "ordered"
    target_transforms: Annotated[
        tuple[Transform, ...],
        "rescalings of the targets for the cost, each step of each column by itself; answers and metrics stay in the "
        "columns' own units",
    ] = (Standardize(),)
    in_memory: Annotated[
        bool | None,
        "whether windows are held one by one, or cut from the series as they are used; if absent, held where they take "
        "at most half of the memory that is left",
    ] = None

    def problems(self) -> Sequence[Problem]:
        """Roles of columns that do not go together, and folds, which are no splits in time."""
        found = [*super().problems()]
        for field in ("columns", "target"):
            names = self._named(field) or ()
            for name in (self.group, self.time):
                if name is not None and name in names:
                    found.append(Problem(field, f"column {name} orders the series, and is no number of a step"))
            if twice := [name for name in names if names.count(name) > 1]:
                found.append(Problem(field, f"column {twice[0]} is listed twice"))
        targets = self._named("target") or self._named("columns") or ()
        for name in self.known:
            if name in targets:
                found.append(Problem("known", f"column {name} is a target, and its future is asked for"))
            elif self.columns is not None and name not in self.columns:
                found.append(Problem("known", f"column {name} is no input", "name it in columns, too"))
        if self.known and self.target is None:
            found.append(Problem("known", "every input is a target where none is named", "say target: the column"))
        if self.fold is not None:
            found.append(Problem("fold", "folds would train on later steps than they validate on", "say validation"))
        return found

    def portion(self, split: Literal["validation", "test"]) -> Portion | None:
        """None: what is held out are steps, and hints say it of windows."""
        return None

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits there will be."""
        held_out = {"train": True, "validation": self.validation, "test": self.test}
        return tuple(split for split in SPLITS if held_out[split])

    def elsewhere(self, path: Path, signature: DataSignature, fitted: Mapping[str, Any]) -> Self:
        """Every window over the series of another table."""
        roles: dict[str, Any] = {"columns": tuple(fitted["inputs"]), "target": tuple(fitted["targets"])}
        return replace(self, path=str(path), validation=None, test=None, **roles)

    def describe(self, folder: Path) -> Description:
        """Shapes, known without reading where the columns are named."""
        inputs = self._named("columns")
        if inputs is None:
            inputs = self._rest(self.table(folder))
        return self._description(inputs)

    def read(self, folder: Path, seed: int) -> Examples:
        """Inputs that are fitted to the training windows; values."""
        from nnctl.data.examples import SplitHints
        from nnctl.data.series.columns import Numbers
        from nnctl.data.series.inputs import WindowInputs, targets
        from nnctl.data.series.windows import Cut

        table = self.table(folder)
        inputs = self._named("columns") or self._rest(table)
        outputs = self._named("target") or inputs
        timeline, _ = self.history(table, outputs)
        cut = Cut(self.window, self.horizon, self.stride, self.validation, self.test)
        windows = cut.windows(timeline, table.place.name)
        numbers = Numbers.of(table, timeline, (*inputs, *outputs), self.missing)
        description = self._description(inputs)
        return Examples(
            description,
            WindowInputs(
                numbers, inputs, outputs, windows.starts, self.window, self.scale, description, self.in_memory
            ),
            targets(numbers, outputs, windows.starts + self.window, self.horizon),
            hints=SplitHints(windows.assigned),
            advice=(*windows.advice, *timeline.advice, *numbers.merged(outputs)),
        )

    def history(self, table: Table, targets: tuple[str, ...]) -> tuple[Timeline, Timeline]:
        """(the steps that were, those to come, of which known columns alone are there). Raises DataError."""
        from nnctl.data.series.timeline import Timeline, without_end

        timeline = Timeline.of(table, self.group, self.time)
        return without_end(timeline, table, targets if self.known else ())

    def _named(self, field: Literal["columns", "target"]) -> tuple[str, ...] | None:
        said = self.columns if field == "columns" else self.target
        return (said,) if isinstance(said, str) else said

    def _description(self, inputs: tuple[str, ...]) -> Description:
        return Description(
            (self.window, len(inputs)), target_shape=(self.horizon * len(self._named("target") or inputs),)
        )
