"""Arrays of the host that a backend may compute with where they lie."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def lies_still(array: NDArray[Any]) -> bool:
    """True for elements in C order and in memory of NumPy's own: what is mapped from a file changes with that."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    return array.flags.c_contiguous and array.flags.aligned and owner.flags.owndata
