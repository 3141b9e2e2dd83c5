"""Data sets, nets and parts of specs that a process keeps from run to run: many trials of a sweep share them."""

from __future__ import annotations

import json
from collections import OrderedDict

from nnctl.data.dataset import Dataset, divided_examples, load_dataset, read_examples
from nnctl.data.examples import Examples
from nnctl.data.source import Source
from nnctl.engine.kept import KeptNets
from nnctl.process import memory
from nnctl.spec.dump import to_data
from nnctl.spec.load import Loaded
from nnctl.spec.variants import Variants

_BYTES = 1 << 26
"""Of data sets that are kept, 64 MiB; of a larger one the last alone."""
_SPARE = 2
"""Times the memory of this process that must be left where examples are kept besides."""


class Kept:
    """Data sets and nets of the last runs, and the spec that they vary.

    No run changes them, so no result depends on what is kept.
    """

    def __init__(self) -> None:
        self.nets = KeptNets()
        self._data: OrderedDict[str, Dataset] = OrderedDict()
        self._examples: tuple[str, Examples] | None = None
        self._variants: tuple[Loaded, Variants] | None = None

    def variants(self, base: Loaded) -> Variants:
        """The variants of a spec; of the last one they are kept."""
        if self._variants is None or self._variants[0] is not base:
            self._variants = base, Variants(base)
        return self._variants[1]

    def dataset(self, loaded: Loaded) -> Dataset:
        """The data set of a spec; its files are not read again where a run before has read the same."""
        source, seed = loaded.spec.data, loaded.spec.seed
        drawn = True
        if isinstance(source, Source):
            seed, drawn = seed if source.seed is None else source.seed, source.drawn
        content = f"{json.dumps(to_data(source))} {loaded.folder}"
        key = f"{content} {seed}" if drawn else content
        data = self._data.pop(key, None)
        if data is None:
            # Before it is read: a large one beside it may not fit into memory.
            while sum(map(_bytes, self._data.values())) > _BYTES:
                self._data.popitem(last=False)
            if isinstance(source, Source) and drawn and not source.seeded:
                data = divided_examples(source, self._read(source, content, loaded), seed)
            else:
                data = load_dataset(source, loaded.folder, seed)
        self._data[key] = data
        return data

    def _read(self, source: Source, content: str, loaded: Loaded) -> Examples:
        """Examples that every seed divides otherwise, read once as long as there is memory for them besides."""
        if self._examples is not None and self._examples[0] == content:
            examples = self._examples[1]
        else:
            self._examples = None
            examples = read_examples(source, loaded.folder, 0)
        spare = memory.available() > _SPARE * memory.most_taken()
        self._examples = (content, examples) if spare else None
        return examples


def _bytes(data: Dataset) -> int:
    arrays = [(split.inputs, split.targets, split.weights) for split in data.splits.values()]
    return sum(array.nbytes for each in arrays for array in each if array is not None)
