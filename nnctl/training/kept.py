"""Data sets, nets and parts of specs that a process keeps from run to run: many trials of a sweep share them."""

from __future__ import annotations

import json
from collections import OrderedDict

from nnctl.data.dataset import Dataset, load_dataset
from nnctl.data.source import Source
from nnctl.engine.kept import KeptNets
from nnctl.spec.dump import to_data
from nnctl.spec.load import Loaded
from nnctl.spec.variants import Variants

_BYTES = 1 << 26
"""Of data sets that are kept, 64 MiB; of a larger one the last alone."""


class Kept:
    """Data sets and nets of the last runs, and the spec that they vary.

    No run changes them, so no result depends on what is kept.
    """

    def __init__(self) -> None:
        self.nets = KeptNets()
        self._data: OrderedDict[str, Dataset] = OrderedDict()
        self._variants: tuple[Loaded, Variants] | None = None

    def variants(self, base: Loaded) -> Variants:
        """The variants of a spec; of the last one they are kept."""
        if self._variants is None or self._variants[0] is not base:
            self._variants = base, Variants(base)
        return self._variants[1]

    def dataset(self, loaded: Loaded) -> Dataset:
        """The data set of a spec; its files are not read again where a run before has read the same."""
        source = loaded.spec.data
        own = source.seed if isinstance(source, Source) else None
        seed = loaded.spec.seed if own is None else own
        key = f"{json.dumps(to_data(source))} {seed} {loaded.folder}"
        data = self._data.pop(key, None)
        if data is None:
            # Before it is read: a large one beside it may not fit into memory.
            while sum(map(_bytes, self._data.values())) > _BYTES:
                self._data.popitem(last=False)
            data = load_dataset(source, loaded.folder, seed)
        self._data[key] = data
        return data


def _bytes(data: Dataset) -> int:
    arrays = [(split.inputs, split.targets, split.weights) for split in data.splits.values()]
    return sum(array.nbytes for each in arrays for array in each if array is not None)
