"""The result of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from nnctl.late import dataclass
from nnctl.runs.sweeps import final_metrics
from nnctl.sweep.trial import Trial


@dataclass(frozen=True)
class TrialResult:
    """The result of a trial.

    status: finished, pruned, diverged, failed (an error of the run), killed or crashed (of its process); or paused,
    where it waits at a rung for others, and this is no end.
    monitored: the column that the run itself monitored; metrics: the numbers of the weights that it
    ended with; seconds: of training. Each None or empty unless it finished, or has rows to be pruned by: they are
    then those of its rung. rung: the epochs, or with in_seconds the seconds of training, after which it was pruned, or
    waits; epochs: those that it had done by then. reached: its value at each rung.
    exit_code: that of `nnctl train` for the same run. again: True where the machine failed, and not
    the trial: the same line may do better.
    """

    trial: Trial
    folder: str
    status: str
    monitored: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    error: str | None = None
    exit_code: int = 0
    again: bool = False
    rung: float | None = None
    in_seconds: bool = False
    epochs: int | None = None
    reached: Mapping[float, float] = field(default_factory=dict)

    @classmethod
    def of_summary(
        cls, trial: Trial, folder: Path, summary: Mapping[str, Any], reached: Mapping[float, float] | None = None
    ) -> TrialResult:
        """The result of a trial that finished."""
        monitored = summary["monitor"] or "train_cost"
        metrics, seconds = final_metrics(summary), summary["seconds"]
        return cls(trial, str(folder), "finished", monitored, metrics, seconds, reached=reached or {})

    @property
    def unit(self) -> Literal["epochs", "seconds"] | None:
        """The unit of its rung, None where it has none."""
        if self.rung is None:
            return None
        return "seconds" if self.in_seconds else "epochs"

    def value(self, column: str) -> float | None:
        """The number in a column of its metrics, None where there is none."""
        value = self.metrics.get(column)
        return float(value) if isinstance(value, int | float) else None
