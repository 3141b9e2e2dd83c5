"""Forecasts of series in closed loop: what a net forecasts, it reads in its turn."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.registry import reference_name
from nnctl.data.paths import existing_file
from nnctl.data.series.columns import Numbers, scaled
from nnctl.data.series.timeline import Timeline
from nnctl.data.sources.steps import SeriesSource
from nnctl.data.tables.cells import Table
from nnctl.data.words import cut, some
from nnctl.errors import DataError, UsageError
from nnctl.inference.answers import Answers
from nnctl.inference.opened import SavedRun, TrainedRun
from nnctl.inference.prediction import LITTLE_WORK, operations
from nnctl.inference.tables import reading
from nnctl.late import dataclass

log = logging.getLogger("nnctl.data")


def forecast(saved: SavedRun, steps: int, path: Path | None = None) -> Answers:
    """So many steps beyond the end of each series of a table, one line a step; of the run's own table if None.

    A line has the cell of the group, the step from 1, its time, where these are known, and the targets by name, in
    their own units. Beyond the horizon forecasts are read as inputs. The reference answers where there is little to
    compute. Raises UsageError for a run on other data, or whose inputs nobody foresees; DataError.
    """
    source = saved.loaded.spec.data
    if not isinstance(source, SeriesSource):
        raise UsageError(f"--forecast {steps}: only nets trained on data of type series forecast, not on {source.type}")
    run = saved.start(reference_name())
    plan = _Plan(source, tuple(run.fitted["inputs"]), tuple(run.fitted["targets"]), run.fitted["series"])
    plan.require_foreseen(steps)
    with reading(existing_file(source.path, saved.loaded.folder) if path is None else path) as (file, _):
        table = source.table(Path(), str(file))
        past, future = source.history(table, plan.targets)
        past, future = _long_enough(past, future, source.window, table.place.name)
        if operations(run, len(past.names) * -(-steps // source.horizon)) > LITTLE_WORK:
            run = saved.start()
        values = plan.values(run, table, past, future, steps)
    places: dict[str, list[Any]] = {}
    if source.group is not None:
        places[source.group] = [name for name in past.names for _ in range(steps)]
    places["step"] = [*range(1, steps + 1)] * len(past.names)
    times = [_times(past, future, series, steps) for series in range(len(past.names))]
    if source.time is not None and all(each is not None for each in times):
        places[source.time] = [time for each in times for time in each or ()]
    return Answers(places, values.reshape(-1, len(plan.targets)), values=plan.targets)


@dataclass(frozen=True)
class _Plan:
    """The columns of a forecast. scaling: of the inputs."""

    source: SeriesSource
    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    scaling: Mapping[str, Any]

    def require_foreseen(self, steps: int) -> None:
        """Raise UsageError where more steps are wanted than one answer has, and the next lacks an input."""
        lacking = [name for name in self.inputs if name not in (*self.targets, *self.source.known)]
        if steps > self.source.horizon and lacking:
            raise UsageError(
                f"--forecast {steps}: beyond the horizon of {self.source.horizon} the net reads {some(lacking)}, "
                "which it does not forecast\n"
                "  train it with these among the targets, or among data.known, if their future is known"
            )

    def values(
        self, run: TrainedRun, table: Table, past: Timeline, future: Timeline, steps: int
    ) -> NDArray[np.float64]:
        """The forecasts, (series, steps, targets). Raises DataError."""
        window, horizon = self.source.window, self.source.horizon
        numbers = Numbers.of(table, past, self.inputs, self.source.missing)
        encoded = numbers.encoded(self.inputs, self.scaling)
        read = np.stack([encoded[end - window : end] for end in past.borders[1:]])
        rounds = -(-steps // horizon)
        ahead = self._known(table, future, (rounds - 1) * horizon)
        answers: list[NDArray[np.float64]] = []
        for number in range(rounds):
            if number:
                last = slice((number - 1) * horizon, number * horizon)
                columns = [
                    answers[-1][:, :, self.targets.index(name)] if name in self.targets else ahead[name][:, last]
                    for name in self.inputs
                ]
                following = scaled(np.stack(columns, axis=2), self.inputs, self.scaling)
                read = np.concatenate([read, following], axis=1)[:, -window:]
            answer = run.scores(read).reshape(len(read), horizon, -1)
            if not np.isfinite(answer).all():
                series, step, target = np.argwhere(~np.isfinite(answer))[0].tolist()
                whose = f" of {cut(past.names[series])!r}" if self.source.group is not None else ""
                raise DataError(
                    f"{table.place.name}: the forecast{whose} of column {cut(self.targets[target])!r} for step "
                    f"{number * horizon + step + 1} is {answer[series, step, target]}, no finite number"
                )
            answers.append(answer)
        return np.concatenate(answers, axis=1)[:, :steps]

    def _known(self, table: Table, future: Timeline, steps: int) -> dict[str, NDArray[np.float64]]:
        """Known columns of the steps to come, each (series, steps). Raises DataError where there are fewer."""
        names = [name for name in self.inputs if name in self.source.known]
        if not names or not steps:
            return {}
        short = np.flatnonzero(future.lengths < steps)
        if len(short):
            whose = f"of {cut(future.names[short[0]])!r} " if self.source.group is not None else ""
            raise DataError(
                f"{table.place.name}: {future.lengths[short[0]]:,} rows {whose}lie behind the last with a target, and "
                f"{steps:,} are needed, for {some(names)}\n"
                "  append rows to come, with the known columns and without targets, or ask for fewer steps"
            )
        numbers = Numbers.of(table, future, names, "error")
        return {
            name: np.stack([numbers.columns[name][start : start + steps] for start in future.borders[:-1]])
            for name in names
        }


def _long_enough(past: Timeline, future: Timeline, window: int, name: str) -> tuple[Timeline, Timeline]:
    """The series that fill a window; the others are named. Raises DataError where none does."""
    short = np.flatnonzero(past.lengths < window)
    if len(short) == len(past.names):
        longest = int(past.lengths.max()) if len(past.names) else 0
        raise DataError(f"{name}: the longest series has {longest:,} steps, and the net reads {window:,}")
    if not len(short):
        return past, future
    log.warning(
        "%s: %d of %d series are shorter than the %d steps that the net reads, and left out: %s",
        name, len(short), len(past.names), window, some([past.names[i] for i in short]),
    )  # fmt: skip
    kept = np.flatnonzero(past.lengths >= window)
    return past.of_series(kept), future.of_series(kept)


def _times(past: Timeline, future: Timeline, series: int, steps: int) -> Sequence[Any] | None:
    """The times of steps to come, as text or numbers: the table's where it has them; None where they are not known."""
    given = [] if future.times is None else list(future.times[future.borders[series] : future.borders[series + 1]])
    if len(given) < steps:
        beyond = past.after(series, steps)
        if beyond is None:
            return None
        given += list(beyond[len(given) :])
    return [past.text(time) for time in given[:steps]]
