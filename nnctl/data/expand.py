"""A training set with changed copies of its examples after the originals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.base import Expansion


def expanded(
    inputs: NDArray[Any], targets: NDArray[Any], expansions: Sequence[Expansion], scale: float, seed: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The originals, then one block for each copy that the expansions make of them.

    scale: brings stored inputs to the unit range. Types stay: of 50,000 images of 28×28
    bytes, four copies and the originals take 187 MiB.
    """
    if not expansions:
        return inputs, targets
    n = len(targets)
    total = n * (1 + sum(expansion.number for expansion in expansions))
    # Filled block by block: joining finished blocks would need the memory twice.
    more = np.empty((total, *inputs.shape[1:]), inputs.dtype), np.empty((total, *targets.shape[1:]), targets.dtype)
    more[0][:n], more[1][:n] = inputs, targets
    first = n
    for place, expansion in enumerate(expansions):
        for which in range(expansion.number):
            block = slice(first, first + n)
            more[0][block], more[1][block] = expansion.copy(which, inputs, targets, scale, seed, place)
            first += n
    return more
