"""Windows over series: where they begin, and on which side of the borders in time each lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnctl.data.series.timeline import Timeline
from nnctl.data.source import SPLITS, Portion
from nnctl.data.splits import size_of
from nnctl.data.words import some
from nnctl.errors import DataError
from nnctl.late import dataclass


@dataclass(frozen=True)
class Windows:
    """Windows over the steps of a timeline.

    starts: the place of each one's first step, increasing within a split, (n,). assigned: int8 (n,), the number of its
    split in `SPLITS`. advice: on series that are too short for any.
    """

    starts: NDArray[np.int64]
    assigned: NDArray[np.int8]
    advice: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cut:
    """The way to cut windows from series: so many steps of inputs, then so many of targets, every `stride` steps.

    validation, test: the last steps of each series, a number or a share, those of the test at the end.
    """

    window: int
    horizon: int
    stride: int
    validation: Portion | None
    test: Portion | None

    def windows(self, timeline: Timeline, name: str) -> Windows:
        """All windows whose targets lie in one split. Their inputs may lie before its border, never behind it.

        name: the table's, in messages. Series too short for a window are left out. Raises DataError where a split that
        is asked for has none.
        """
        needed = self.window + self.horizon
        need = f"window {self.window} and horizon {self.horizon} need {needed:,}"
        short = np.flatnonzero(timeline.lengths < needed)
        if len(short) == len(timeline.names):
            longest = int(timeline.lengths.max())
            which = "the series has" if len(timeline.names) == 1 else f"the longest of {len(short):,} series has"
            raise DataError(f"{name}: {which} {longest:,} step{'s' * (longest != 1)}, and {need}", "window")
        starts: list[NDArray[np.int64]] = []
        assigned: list[NDArray[np.int8]] = []
        for series in np.flatnonzero(timeline.lengths >= needed):
            first, steps = int(timeline.borders[series]), int(timeline.lengths[series])
            for number, (begin, end) in enumerate(self._borders(steps)):
                found = np.arange(max(0, begin - self.window), end - needed + 1, self.stride, dtype=np.int64)
                starts.append(first + found)
                assigned.append(np.full(len(found), number, dtype=np.int8))
        split_of = np.concatenate(assigned)
        for number, (split, portion) in enumerate(zip(SPLITS, (None, self.validation, self.test), strict=True)):
            if (split == "train" or portion) and not (split_of == number).any():
                self._refuse(timeline, name, split, portion, need)
        advice: tuple[str, ...] = ()
        if len(short):
            named = some([timeline.names[i] for i in short])
            advice = (f"{len(short):,} of {len(timeline.names):,} series are left out, for {need} steps: {named}",)
        return Windows(np.concatenate(starts), split_of, advice)

    def _borders(self, steps: int) -> list[tuple[int, int]]:
        """(first, end) of the steps of each split that may be targets; of training's those of inputs, too."""
        end = steps - min(steps, size_of(self.test, steps))
        middle = end - min(end, size_of(self.validation, steps))
        # Of the training windows the first step may be any; of the others the first target.
        return [(0, middle), (middle, end), (end, steps)]

    def _refuse(self, timeline: Timeline, name: str, split: str, portion: Portion | None, need: str) -> None:
        longest = int(timeline.lengths.max())
        begin, end = self._borders(longest)[SPLITS.index(split)]
        if split == "train":
            raise DataError(
                f"{name}: {end:,} of {longest:,} steps are left to train on, and {need}\n"
                "  ask for fewer with data.validation and data.test",
                "validation" if self.validation else "test" if self.test else "window",
            )
        raise DataError(
            f"{name}: {split} {portion:g} is {end - begin:,} of {longest:,} steps, and window {self.window} and "
            f"horizon {self.horizon} leave no target in them",
            split,
        )
