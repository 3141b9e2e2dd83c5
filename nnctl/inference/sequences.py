"""Inputs of a net that was trained on sequences from a table, from another table's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nnctl.components.signature import DataSignature
from nnctl.data.series.columns import Numbers
from nnctl.data.series.sequences import filled_up, require_length
from nnctl.data.series.timeline import Timeline
from nnctl.data.sources.steps import SequenceSource
from nnctl.data.words import cut
from nnctl.errors import DataError, UsageError
from nnctl.inference.inputs import Part
from nnctl.inference.tables import reading
from nnctl.late import dataclass


@dataclass(frozen=True)
class SequenceReader:
    """A reader of tables whose groups are sequences, by the columns of a run.

    inputs: names of its columns of inputs. scaling: of these. signature: of the run.
    """

    source: SequenceSource
    inputs: tuple[str, ...]
    scaling: Mapping[str, Any]
    signature: DataSignature

    def parts(self, path: Path, rows: int | None) -> Iterator[Part]:
        """The sequences of a file, or of a table on stdin, so many at a time, all if None. Raises DataError."""
        length = self.signature.input_shape[0]
        with reading(path) as (file, name):
            table = self.source.table(Path(), str(file))
            timeline = Timeline.of(table, self.source.group, self.source.time)
            require_length(timeline, length, name)
            numbers = Numbers.of(table, timeline, self.inputs, self.source.missing)
            inputs = filled_up(numbers.encoded(self.inputs, self.scaling), timeline, length, name)
        step = len(inputs) if rows is None else rows
        for first in range(0, len(inputs), step):
            some = slice(first, first + step)
            names = timeline.names[some]

            def at(_: NDArray[Any], index: int, message: str, names: Sequence[str] = names) -> DataError:
                return DataError(f"{name}: sequence {cut(names[index])!r}: {message}")

            yield Part(
                inputs[some],
                [str(path)] * len(names),
                range(first, first + len(names)),
                last=first + step >= len(inputs),
                error=at,
                kept={self.source.group: names},
                steps=timeline.lengths[some],
            )


def sequence_reader(
    source: SequenceSource, signature: DataSignature, fitted: Mapping[str, Any], keep: Sequence[str]
) -> SequenceReader:
    """The reader of a run's tables. Raises UsageError."""
    if keep:
        raise UsageError(f"--keep {cut(keep[0])}: an answer is to a sequence, and has the cell of {source.group} alone")
    return SequenceReader(source, tuple(fitted["inputs"]), fitted["sequences"], signature)
