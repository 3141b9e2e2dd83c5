"""Examples of a split as a page shows them: as pictures where they are, else in the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnctl.data.dataset import Dataset, Split
from nnctl.figures.figure import Gallery, Picture, Table
from nnctl.figures.scales import number
from nnctl.inference.opened import TrainedRun
from nnctl.report.section import Drawn, Listed, Part
from nnctl.screen.characters import word
from nnctl.visualization.boundary import in_units_of_data, input_names
from nnctl.visualization.pictures import is_picture, photographs, smaller

_MOST_INPUTS = 8
"""Inputs of an example that are listed."""
_MOST_TOKENS = 60
_SIDE = 48
"""Pixels of a side of a picture: two dozen in three colours take less than 200 KB."""


class Examples:
    """The examples of a split, to be shown by their places in it."""

    def __init__(self, run: TrainedRun, data: Dataset, split: Split) -> None:
        """Nothing is read before it is shown."""
        self._run, self._unit, self._split = run, data.unit, split
        self.pictures = is_picture(run.signature.input_shape)
        """True where they are images."""

    def part(self, title: str, places: Sequence[int], heads: Sequence[str], said: Sequence[tuple[float, ...]]) -> Part:
        """Some examples, under a title. heads, said: numbers that stand with each, the caption of a picture first."""
        inputs = np.asarray(self._split.inputs[np.asarray(places, np.int64)])
        if self.pictures:
            pictures = [
                Picture(smaller(pixels, _SIDE), number(words[0]))
                for pixels, words in zip(photographs(inputs, self._unit), said)
            ]
            table = Table(("example", *heads), tuple((place, *words) for place, words in zip(places, said)))
            return Drawn(Gallery(title, tuple(pictures)), table=table)
        names, values = self._inputs(inputs)
        rows = tuple((place, *words, *own) for place, words, own in zip(places, said, values))
        return Listed(title, Table(("example", *heads, *names), rows))

    def _inputs(self, inputs: np.ndarray) -> tuple[list[str], list[list[object]]]:
        """Names of the inputs that are listed, and those of each example, as the data has them."""
        signature = self._run.signature
        if signature.input_dtype == "index" and inputs.ndim == 2 and signature.vocabulary is not None:
            texts = ["".join(signature.vocabulary[token] for token in row[:_MOST_TOKENS]) for row in inputs.tolist()]
            return ["inputs"], [[word(text, _MOST_TOKENS)] for text in texts]
        if inputs.ndim != 2:
            return [], [[] for _ in inputs]
        names = input_names(self._run)[:_MOST_INPUTS]
        return [word(name, 40) for name in names], in_units_of_data(self._run, inputs)[:, :_MOST_INPUTS].tolist()
