"""Thinning of long curves: fewer points, and the same picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def thinned(lines: list[NDArray[np.float64]], most: int) -> NDArray[np.int64]:
    """Indices of at most about `most` points that draw the lines, each (n,), as all points would.

    Of every stretch of points the first, the last, and of each line the least and the greatest stay, so that no peak
    is lost (M4, Jugel et al. 2014), and one that is not finite, where there is any, so that a gap stays a gap.
    """
    count = len(lines[0])
    if count <= most:
        return np.arange(count)
    stretches = max(1, most // (2 * len(lines) + 2))
    edges = np.linspace(0, count, stretches + 1).round().astype(np.int64)
    kept: set[int] = set()
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist()):
        kept |= {first, last - 1}
        for line in lines:
            part = line[first:last]
            finite = np.isfinite(part)
            if finite.any():
                kept |= {
                    first + int(np.where(finite, part, np.inf).argmin()),
                    first + int(np.where(finite, part, -np.inf).argmax()),
                }
            if not finite.all():
                kept.add(first + int(finite.argmin()))
    return np.array(sorted(kept))
