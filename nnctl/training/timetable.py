"""The timetable of training steps: epochs, batches, and the next evaluation that is due."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from nnctl.late import dataclass
from nnctl.spec.document import Spec


@dataclass(frozen=True)
class Timetable:
    """The steps of a run, counted from 0 over all epochs.

    An epoch is `examples` examples in batches of `batch`; its last batch holds
    what is left. All methods are pure, so an interrupted run finds its place
    again from the number of the step alone.
    """

    examples: int
    batch: int
    epochs: int
    every: int | None = None
    """Training examples between evaluations; None: an evaluation at the end of each epoch, or as `every_steps` says."""
    every_steps: int | None = None
    """Steps between evaluations."""

    @classmethod
    def of(
        cls,
        examples: int,
        batch_size: int | Literal["full"],
        epochs: int,
        every: int | str | None,
        *,
        drop_last: bool = False,
    ) -> Timetable:
        """The timetable of a schedule; a batch is never larger than the training set.

        every: training examples between evaluations, or a count with its unit: "2 epochs", "500 steps".
        drop_last: leave out the examples that do not fill a batch.
        """
        batch = examples if batch_size == "full" else min(batch_size, examples)
        seen = examples - examples % batch if drop_last else examples
        if not isinstance(every, str):
            return cls(seen, batch, epochs, every)
        count, unit = every.split()
        if unit.startswith("step"):
            return cls(seen, batch, epochs, every_steps=int(count))
        return cls(seen, batch, epochs, int(count) * seen)

    @classmethod
    def of_spec(cls, spec: Spec, examples: int) -> Timetable:
        """The timetable of a spec, for a training set of so many examples."""
        schedule = spec.schedule
        every, drop_last = schedule.evaluate_every, spec.data.contiguous
        return cls.of(examples, schedule.batch_size, schedule.epochs, every, drop_last=drop_last)

    @cached_property
    def steps_per_epoch(self) -> int:
        """The number of batches, the smaller last one included."""
        return -(-self.examples // self.batch)

    @property
    def steps(self) -> int:
        """Steps of the run."""
        return self.epochs * self.steps_per_epoch

    def epoch_of(self, step: int) -> int:
        """The epoch that `step` belongs to, from 0."""
        return step // self.steps_per_epoch

    def seen(self, step: int) -> int:
        """Training examples seen before `step`, repetitions counted."""
        epoch, within = divmod(step, self.steps_per_epoch)
        return epoch * self.examples + min(within * self.batch, self.examples)

    def epochs_done(self, step: int) -> int | float:
        """Epochs done before `step`: an int where they are whole."""
        epochs, rest = divmod(self.seen(step), self.examples)
        return epochs + rest / self.examples if rest else epochs

    def next_evaluation(self, step: int) -> int:
        """The first step count above `step` at which an evaluation is due; the end of the run at the latest."""
        if self.every_steps is not None:
            return min((step // self.every_steps + 1) * self.every_steps, self.steps)
        if self.every is None:
            return min((self.epoch_of(step) + 1) * self.steps_per_epoch, self.steps)
        target = (self.seen(step) // self.every + 1) * self.every
        epoch, rest = divmod(target, self.examples)
        return min(epoch * self.steps_per_epoch + -(-rest // self.batch), self.steps)

    def chunk(self, step: int, most: int) -> tuple[int, int, int]:
        """The chunk of steps that begins at `step`: (count, start, stop), positions in the epoch's order.

        They have batches of one size, lie in one epoch, unless each is an epoch of its own, and end at the next
        evaluation at the latest; at least one, at most `most`.
        """
        within = step % self.steps_per_epoch
        full = self.examples // self.batch
        start = within * self.batch
        if within >= full:
            return 1, start, self.examples
        left = full - within if self.steps_per_epoch > 1 else most
        count = max(1, min(most, left, self.next_evaluation(step) - step))
        return count, start, start + count * self.batch
