"""The class filter: which examples stay, and by which numbers their classes go on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.source import Source, select_classes
from nnctl.errors import DataError
from nnctl.late import dataclass

_GONE = -2
"""The label of an example that the filter leaves no place for."""


@dataclass(frozen=True)
class ClassFilter:
    """The class filter of a source whose data has classes of these names; None of a source of values.

    renumber: new labels, one a class: −1 for the one that is left out, −2 for a class that goes; None where all stay.
    """

    source: Source
    names: tuple[str, ...] | None
    renumber: NDArray[np.int64] | None

    @classmethod
    def of(cls, source: Source, names: tuple[str, ...] | None) -> ClassFilter:
        """The filter that the source's fields say. Raises DataError for a class that there is not."""
        counted = source.counted(names)
        if names is None or counted is None or (source.classes is None and counted == names):
            return cls(source, names, None)
        renumber = np.full(len(names), _GONE, dtype=np.int64)
        place = {name: index for index, name in enumerate(names)}
        for new, name in enumerate(select_classes(counted, source.classes)):
            renumber[place[name]] = new
        if len(counted) < len(names):
            renumber[place[str(source.ignored)]] = -1
        return cls(source, names, renumber)

    def kept(self, targets: NDArray[Any], what: str) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """(indices of the examples that stay, their targets). Raises DataError where there are none of `what`."""
        if self.renumber is None:
            return np.arange(len(targets), dtype=np.int64), targets
        labels = self.renumber[targets]
        kept = np.flatnonzero((labels != _GONE).reshape(len(labels), -1).all(axis=1))
        if not len(kept):
            raise DataError(f"{', '.join(map(str, self.source.classes or ()))} leave no example of {what}", "classes")
        return kept, labels[kept]

    def strata(self, targets: NDArray[Any]) -> NDArray[np.int64] | None:
        """Groups (n,) from 0 that are divided in proportion: the classes, and behind them what is left out.

        None where targets are values, or labels of steps.
        """
        if self.names is None or targets.ndim != 1:
            return None
        return targets if self.source.ignored is None else np.where(targets < 0, targets.max() + 1, targets)
