"""The training loop: a generator of events over an engine.

Steps run in chunks of about a tenth of a second, so that progress is shown and
signals are answered. What a run computes does not depend on how it is cut into
chunks: means are summed one step after the other in float64, and where an epoch
or an evaluation ends follows from the timetable alone.

`train_…` of a row are means over the examples since the row before, the cost's by their
weights and without penalty, each measured before its step's update.
`validation_…` are measured with the weights of the row's step, on the examples of
`schedule.evaluate_on`; `test_…` always on the whole split, in the last row.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.base import MonitoredSchedule
from nnctl.engine.engine import Engine
from nnctl.errors import DeviceLost, Interrupted, RunError
from nnctl.runs.checkpoints import Checkpoint
from nnctl.spec.document import Spec
from nnctl.training.chunk_length import ChunkLength, Pace
from nnctl.training.events import (
    NO_ROWS,
    Computing,
    Evaluated,
    Event,
    Finished,
    Paused,
    Pausing,
    Progress,
    Record,
    Stopped,
    Tested,
    Value,
    Watched,
    computing,
    rows_digest,
)
from nnctl.training.failing import Failing
from nnctl.training.monitor import Monitor, metric_of, monitored_column, require_column
from nnctl.training.rates import Rates, at_step
from nnctl.training.saving import Saver
from nnctl.training.signals import StopRequest
from nnctl.training.splits import WATCHED, drawn
from nnctl.training.timetable import Timetable


class Loop:
    """One run's training, from its first step or from a checkpoint.

    engine: with the splits bound to its feed. sizes: examples of each split that there is, "train"
    at least. saver: of its checkpoints; None keeps them in memory. failing: the words where a cost is not finite.
    """

    def __init__(
        self,
        engine: Engine,
        spec: Spec,
        sizes: Mapping[str, int],
        *,
        saver: Saver | None = None,
        pace: Pace | None = None,
        failing: Failing | None = None,
    ) -> None:
        schedule = spec.schedule
        self.engine, self.spec, self.sizes = engine, spec, dict(sizes)
        self.timetable = Timetable.of_spec(spec, sizes["train"])
        self.rates = Rates(
            schedule.learning_rate.for_convention(spec.convention),
            spec.optimizer.for_convention(spec.convention),
            self.timetable,
        )
        self.columns = self._columns()
        self.monitor = self._monitor()
        self._rates_column = self._column_of_rates()
        self.step = 0
        self.stopped: str | None = None
        self.history: list[Record] = []
        self._rows_sha256 = NO_ROWS
        self._layer_rows, self._layer_rows_sha256 = 0, NO_ROWS
        self._measures = engine.measures()
        pace = pace or Pace()
        self._failing = failing or Failing()
        self._length = ChunkLength(pace.steps)
        self._clock = pace.clock
        self.saver = saver or Saver()
        self._began = self._clock()
        self._subset = self._evaluation_subset()

    def _columns(self) -> tuple[str, ...]:
        metrics = self.engine.metric_names
        penalty = ("penalty",) if self.engine.penalty() is not None else ()
        measured = [
            f"{split}_{metric}" for split in ("validation", "test") if split in self.sizes for metric in metrics
        ]
        train = [f"train_{metric}" for metric in metrics]
        step = self.engine.step_metric_names
        return ("event", "epoch", "step", "seconds", "learning_rate", *train, *penalty, *step, *measured)

    def _monitor(self) -> Monitor | None:
        stopping = self.spec.schedule.early_stopping
        column = monitored_column(self.spec, self.sizes, labels="accuracy" in self.engine.metric_names)
        if column is None:
            return None
        if stopping is not None:
            require_column(column, self.columns, "early stopping")
        return Monitor.of(column, self.engine.higher_is_better(metric_of(column)), stopping)

    def _column_of_rates(self) -> str | None:
        """The column that a monitored schedule watches: its own `monitor`, else what the best weights are chosen by."""
        if not isinstance(self.rates.schedule, MonitoredSchedule):
            return None
        asked = self.rates.schedule.monitored
        if asked is not None:
            require_column(asked, self.columns, "the learning rate's schedule")
            return asked
        if self.monitor is not None:
            return self.monitor.column
        return "train_cost"

    def _evaluation_subset(self) -> NDArray[np.int64] | None:
        wanted, size = self.spec.schedule.evaluate_on, self.sizes.get("validation", 0)
        return None if wanted is None or wanted >= size else drawn(self.spec, "evaluate_on", size, wanted)

    @property
    def seconds(self) -> float:
        """Time spent on the run, earlier parts included."""
        return self._clock() - self._began

    @property
    def done(self) -> bool:
        """True where no step is left to do."""
        return self.stopped is not None or self.step >= self.timetable.steps

    def restore(self, checkpoint: Checkpoint, history: Sequence[Record], seconds: float) -> None:
        """Continue from a checkpoint. history: the rows it counts. seconds: spent before."""
        progress = checkpoint.progress
        self.engine.load_state(checkpoint.tensors)
        self.step = progress["step"]
        self.stopped = progress["stopped"]
        self._measures = self.engine.measures()
        self._measures.restore(progress["sums"], checkpoint.measured)
        self.rates.memory = progress["schedule"]
        if self.monitor is not None:
            self.monitor = self.monitor.restored(progress["monitor"])
        self.history = list(history)
        self._rows_sha256 = progress["rows_sha256"]
        self._layer_rows = progress.get("layer_rows", 0)
        self._layer_rows_sha256 = progress.get("layer_rows_sha256", NO_ROWS)
        self.saver.step = self.step
        self._began = self._clock() - seconds

    def checkpoint(self, state: dict[str, NDArray[Any]] | None = None) -> Checkpoint:
        """The state of the run between two steps. state: of the engine, where somebody has read it."""
        progress = {
            **self.saver.identity,
            "seed": self.spec.seed,
            "examples": self.sizes["train"],
            "step": self.step,
            "steps": self.timetable.steps,
            "epoch": self.timetable.epochs_done(self.step),
            "rows": len(self.history),
            "rows_sha256": self._rows_sha256,
            "sums": self._measures.sums(),
            "schedule": self.rates.memory,
            "monitor": self.monitor.memory() if self.monitor is not None else None,
            "stopped": self.stopped,
        }
        if self.spec.watched is not None:
            progress |= {"layer_rows": self._layer_rows, "layer_rows_sha256": self._layer_rows_sha256}
        return Checkpoint(progress, self.engine.state() if state is None else state, self._measures.arrays())

    def run(self, stop: StopRequest | None = None, pause: Pausing | None = None) -> Iterator[Event]:
        """Train to the end, or to a pause. Raises Interrupted after saving, DivergedError and DeviceLost without."""
        try:
            yield from self._run(stop, pause)
        except DeviceLost as error:
            raise DeviceLost(f"{error}\n  {self.saver.words(self.step)}") from error
        finally:
            self.engine.feed.close()

    def _run(self, stop: StopRequest | None, pause: Pausing | None) -> Iterator[Event]:
        self.saver.begin()
        if self.step == 0:
            yield from self._watch()
        train = self.engine.feed["train"]
        if (longest := self.engine.longest_step(train.examples, self.timetable.batch)) is not None:
            self._length.expect(longest)
        asked = 0
        while not self.done:
            epoch = self.timetable.epoch_of(self.step)
            if pause is not None and epoch > asked:
                asked = epoch
                if pause(epoch, self.history):
                    yield from self._save()
                    yield Paused(epoch, self.step)
                    return
            due = self.timetable.next_evaluation(self.step)
            # A pause is asked about at the end of every epoch.
            yield from self._train_chunk(self.timetable.steps_per_epoch if pause is not None else self._length.most)
            yield self._progress()
            if self.step == due:
                yield from self._evaluate()
            if stop and stop.signal_number is not None:
                yield from self._save()
                raise self._interrupted(stop.signal_number)
            if self.saver.due:
                yield from self._save()
        yield from self._save()
        if self.stopped is not None:
            yield Stopped(self.stopped)
        weights = self._choose_weights()
        tested = (yield from self._test(weights)) if "test" in self.sizes else None
        if tested is not None:
            yield Tested(tested)
        yield Finished(self._summary(weights, tested))

    def _train_chunk(self, most: int) -> Iterator[Event]:
        train, epoch = self.engine.feed["train"], self.timetable.epoch_of(self.step)
        _, first, _ = self.timetable.chunk(self.step, 1)
        most = min(most, self._length.most, train.within(first) // self.timetable.batch)
        count, _, stop = self.timetable.chunk(self.step, most)
        train.advance_to(epoch, first)
        chunk = train.chunk(epoch, first, stop, count)
        scheduled = self.rates.values(self.step, count)
        if first == 0 and self.spec.data.contiguous:
            self.engine.reset_states()
        before = self._clock()
        landed = self.engine.begin(chunk, scheduled, self.step)
        begun = self._clock()
        try:
            yield Computing()
        finally:
            # Whoever ends the run here waits, too: steps change arrays as long as they run.
            back = self._clock()
            steps = landed()
        # What others did meanwhile makes no step longer.
        spent = begun - before + self._clock() - back if steps.seconds is None else steps.seconds
        if steps.completed:
            self._measures.add(steps.metrics, chunk.batch)
        self.step += steps.completed
        if steps.completed < count:
            self.saver.save_best()
            rates, epoch = at_step(scheduled, steps.completed), self.timetable.epoch_of(self.step) + 1
            raise self._failing.of_step(self.engine, chunk, steps.completed, rates, self.step, epoch)
        self._length.took(count, spent)

    def _progress(self) -> Progress:
        done = self.timetable
        return Progress(self.step, float(done.epochs_done(self.step)), done.seen(self.step), self._measures.cost)

    def _row(self, event: str, step: int, values: Mapping[str, Value]) -> Record:
        row: dict[str, Value] = dict.fromkeys(self.columns)
        row |= {"event": event, "epoch": self.timetable.epochs_done(step), "step": step}
        row |= {"seconds": round(self.seconds, 6)}
        # A metric that is not defined for its examples was not measured.
        return row | {n: None if isinstance(v, float) and not math.isfinite(v) else v for n, v in values.items()}

    @property
    def _last_rate(self) -> float:
        return self.rates.learning_rate(max(self.step - 1, 0))

    def _evaluate(self) -> Iterator[Event]:
        state = self.engine.state()
        self._failing.require_finite_state(state, self.step, self._last_rate)
        yield from self._watch()
        # The step before this evaluation is the last that trained at this rate.
        values: dict[str, Value] = {"learning_rate": self.rates.learning_rate(self.step - 1)}
        values |= {f"train_{name}": value for name, value in self._measures.metrics().items()}
        values |= self._measures.step_metrics()
        if "penalty" in self.columns:
            values["penalty"] = self.engine.penalty()
        if "validation" in self.sizes:
            values |= yield from self._measure("validation", self._subset)
        self._measures = self.engine.measures()
        record = self._row("evaluation", self.step, values)
        self.history.append(record)
        self._rows_sha256 = rows_digest(self._rows_sha256, record)
        improved = self._observe(record, state)
        yield Evaluated(record, improved)

    def _watch(self) -> Iterator[Event]:
        """Measure the layers, where that is due at this evaluation, counted from 0 before the first step."""
        watch = self.spec.watched
        evaluation = 0 if self.step == 0 else len(self.history) + 1
        if watch is None or evaluation % watch.every:
            return
        at = {"epoch": self.timetable.epochs_done(self.step), "step": self.step}
        rows: tuple[Record, ...] = tuple(at | row for row in self.engine.watch(WATCHED))
        self._layer_rows += len(rows)
        for row in rows:
            self._layer_rows_sha256 = rows_digest(self._layer_rows_sha256, row)
        yield Watched(rows)

    def _observe(self, record: Record, state: dict[str, NDArray[Any]]) -> bool:
        """True where the record is the best of all. state: of the engine, at this step."""
        column = self._rates_column
        if column is not None:
            self.rates.observe(_number(record[column]), self.engine.higher_is_better(metric_of(column)))
            if self.rates.exhausted:
                self.stopped = f"the learning rate has reached its floor without {column} improving"
        if self.monitor is None:
            return False
        self.monitor = self.monitor.observe(_number(record[self.monitor.column]), self.step)
        if self.monitor.exhausted:
            self.stopped = self.monitor.reason
        if self.monitor.best_step != self.step:
            return False
        self.saver.best = self.checkpoint(state)
        return True

    def _measure(self, split: str, subset: NDArray[np.int64] | None = None) -> Generator[Event, None, dict[str, Value]]:
        measured = yield from computing(self.engine.evaluating(split, subset))
        epoch = self.timetable.epochs_done(self.step)
        self._failing.require_finite_cost(measured["cost"], split, self.step, epoch, self._last_rate)
        return {f"{split}_{name}": float(value) for name, value in measured.items()}

    def _save(self) -> Iterator[Event]:
        yield from self.saver.save(self.step, self.checkpoint)

    def _interrupted(self, number: int) -> Interrupted:
        where = f"at step {self.step} of {self.timetable.steps} (epoch {self.timetable.epochs_done(self.step):.4g})"
        saved = (
            "the checkpoint is saved, --resume goes on from it" if self.saver.store is not None else "nothing was saved"
        )
        return Interrupted(number, f"stopped {where}; {saved}")

    def _choose_weights(self) -> str:
        """Put the weights in place that the run ends with; "best" or "last"."""
        stopping = self.spec.schedule.early_stopping
        if stopping is None or not stopping.restore_best or self.monitor is None or self.monitor.best_step is None:
            return "last"
        best = self.saver.load_best()
        if best is None or best.progress["step"] != self.monitor.best_step:
            raise RunError(f"the best checkpoint is not that of step {self.monitor.best_step}: was it replaced?")
        self.engine.load_state(best.tensors)
        return "best"

    def _test(self, weights: str) -> Generator[Event, None, Record]:
        step = self.monitor.best_step if weights == "best" and self.monitor is not None else None
        measured = yield from self._measure("test")
        return self._row("test", self.step if step is None else step, measured)

    def _summary(self, weights: str, tested: Record | None) -> dict[str, Any]:
        best_step = self.monitor.best_step if self.monitor is not None else None
        best = next((row for row in self.history if row["step"] == best_step), None)
        return {
            "name": self.spec.name,
            "seed": self.spec.seed,
            "backend": self.engine.backend_name,
            "threads": self.engine.threads,
            "examples": self.sizes,
            "parameters": sum(math.prod(shape) for shape in self.engine.parameters.values()),
            "epochs": self.timetable.epochs_done(self.step),
            "steps": self.step,
            "seconds": round(self.seconds, 6),
            "stopped": self.stopped,
            "weights": weights,
            "monitor": self.monitor.column if self.monitor is not None else None,
            "best": dict(best) if best is not None else None,
            "last": dict(self.history[-1]) if self.history else None,
            "test": dict(tested) if tested is not None else None,
        }


def _number(value: Value) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
