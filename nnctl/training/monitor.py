"""Early stopping and the choice of the best weights, by one column of the metrics."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nnctl.errors import UsageError
from nnctl.late import dataclass
from nnctl.spec.document import EarlyStopping, Spec

SPLITS = ("train", "validation", "test")


def metric_of(column: str) -> str:
    """The metric that a column holds: "accuracy" for "validation_accuracy"."""
    split, _, metric = column.partition("_")
    return metric if split in SPLITS and metric else column


def stem_and_part(column: str) -> tuple[str, str]:
    """The measure that a column is of, and the part of the net: ("weight_norm", "hidden.weight").

    The part is "" where it is of the whole net, as "test_recall_at_0.2": a point between digits is a decimal point.
    """
    stem, *part = re.split(r"(?<!\d)\.|\.(?!\d)", column, maxsplit=1)
    return stem, "".join(part)


def require_column(column: str, columns: Sequence[str], key: str) -> None:
    """Raise UsageError, with the likely name, where no row of the metrics will have `column`.

    key: the part of the spec that monitors it, in words.
    """
    measured = [name for name in columns if name.startswith(("train_", "validation_"))]
    if column in measured:
        return
    close = difflib.get_close_matches(column, measured, n=1)
    hint = f"\n  did you mean '{close[0]}'?" if close else ""
    if column.startswith("validation_") and not any(name.startswith("validation_") for name in measured):
        hint = "\n  the data has no validation split: give it one with data.validation"
    raise UsageError(f"{key} monitors '{column}', which is not measured\n  measured: {', '.join(measured)}{hint}")


def monitored_column(spec: Spec, splits: Collection[str], *, labels: bool) -> str | None:
    """The column that a run monitors: early stopping's, else that of the validation split; None without either.

    labels: True where targets are labels, so that accuracy is measured.
    """
    if spec.schedule.early_stopping is not None:
        return spec.schedule.early_stopping.monitor
    if "validation" not in splits:
        return None
    return "validation_accuracy" if labels else "validation_cost"


@dataclass(frozen=True)
class Monitor:
    """The memory of a monitored column.

    Two values are kept. `best` is the best ever: the weights of its evaluation
    are the best weights. `reference` is the last that counted as improvement,
    by more than `min_delta`: evaluations since it are `waited`. A value that is
    not finite never improves on anything.
    """

    column: str
    higher_is_better: bool
    patience: int | None = None
    min_delta: float = 0.0
    best: float | None = None
    best_step: int | None = None
    reference: float | None = None
    waited: int = 0

    @classmethod
    def of(cls, column: str, higher_is_better: bool, stopping: EarlyStopping | None) -> Monitor:
        """The monitor of `column`; without early stopping nothing ends the run."""
        if stopping is None:
            return cls(column, higher_is_better)
        return cls(column, higher_is_better, stopping.patience, stopping.min_delta)

    def _better(self, value: float, than: float | None, by: float) -> bool:
        if not math.isfinite(value):
            return False
        if than is None:
            return True
        return value > than + by if self.higher_is_better else value < than - by

    def observe(self, value: float, step: int) -> Monitor:
        """The memory after an evaluation at `step` that measured `value`."""
        after = self
        if self._better(value, self.best, 0.0):
            after = replace(after, best=value, best_step=step)
        if self._better(value, self.reference, self.min_delta):
            return replace(after, reference=value, waited=0)
        return replace(after, waited=self.waited + 1)

    @property
    def exhausted(self) -> bool:
        """True where patience is at its end."""
        return self.patience is not None and self.waited >= self.patience

    @property
    def reason(self) -> str:
        """The reason to stop, in words."""
        return f"{self.column} has not improved in {self.waited} evaluation{'s' if self.waited != 1 else ''}"

    def memory(self) -> dict[str, Any]:
        """The memory as a checkpoint keeps it; `restored` takes it back."""
        return {
            "column": self.column,
            "best": self.best,
            "best_step": self.best_step,
            "reference": self.reference,
            "waited": self.waited,
        }

    def restored(self, memory: Mapping[str, Any]) -> Monitor:
        """This monitor with the memory of a checkpoint."""
        return replace(self, **{key: memory[key] for key in ("best", "best_step", "reference", "waited")})
