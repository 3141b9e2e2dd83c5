"""Dots of a drawing on a terminal: eight in a character where braille is there, else one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from nnctl.figures.palette import series

MARKERS = "*o+x#@%&"
"""Characters that draw the nth layer where there are no colours; they return after eight."""
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""The bit of each dot of a braille character, (4, 2); Unicode 15, chapter 21.1."""


class Dots:
    """Dots of several layers over columns and lines of characters. Of layers in one character the last has its colour.

    width, height: in dots, which are counted from the left and from the top.
    """

    def __init__(self, columns: int, lines: int, *, plain: bool) -> None:
        self.plain = plain
        self.across, self.down = (1, 1) if plain else (2, 4)
        self.width, self.height = columns * self.across, lines * self.down
        self._set = np.zeros((self.height, self.width), bool)
        self._owner = np.full((lines, columns), -1)
        self._whole = np.zeros((lines, columns), bool)

    def mark(self, x: NDArray[np.int64], y: NDArray[np.int64], layer: int, *, whole: bool = False) -> None:
        """Draw dots (n,) of a layer; those outside are left out. whole: a character that stands out for each."""
        inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
        x, y = x[inside], y[inside]
        self._set[y, x] = True
        self._owner[y // self.down, x // self.across] = layer
        self._whole[y // self.down, x // self.across] |= whole

    def line(self, x: NDArray[np.float64], y: NDArray[np.float64], layer: int, *, dashed: bool = False) -> None:
        """Draw straight lines between points (n,), in dots; where one is not finite there is a gap."""
        finite = np.isfinite(x) & np.isfinite(y)
        alone = finite & ~np.append(finite[1:], False) & ~np.insert(finite[:-1], 0, False)
        self.mark(_whole(x[alone]), _whole(y[alone]), layer)
        joined = np.flatnonzero(finite[:-1] & finite[1:])
        if not len(joined):
            return
        # What lies far outside is not walked to dot by dot.
        x, y = np.clip(x, -self.width, 2 * self.width), np.clip(y, -self.height, 2 * self.height)
        steps = np.maximum(np.abs(x[joined + 1] - x[joined]), np.abs(y[joined + 1] - y[joined]))
        counts = np.ceil(steps).astype(np.int64) + 1
        segment = np.repeat(joined, counts)
        place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        share = place / np.repeat(np.maximum(counts - 1, 1), counts)
        across, below = (v[segment] + share * (v[segment + 1] - v[segment]) for v in (x, y))
        # Along the way, not along each segment: many short ones would all begin with a dash.
        drawn = np.arange(len(share)) % 8 < 4 if dashed else slice(None)
        self.mark(_whole(across[drawn]), _whole(below[drawn]), layer)

    def texts(self) -> list[Text]:
        """The lines of the drawing."""
        lines, columns = self._owner.shape
        cells = self._set.reshape(lines, self.down, columns, self.across)
        patterns = np.einsum("ldca,da->lc", cells, _BITS) if not self.plain else np.zeros((lines, columns), int)
        texts = []
        for owners, whole, bits in zip(self._owner.tolist(), self._whole.tolist(), patterns.tolist()):
            text = Text()
            for owner, stands_out, pattern in zip(owners, whole, bits):
                if owner < 0:
                    text.append(" ")
                elif self.plain:
                    text.append(marker(owner), series(owner))
                else:
                    text.append("●" if stands_out else chr(0x2800 + pattern), series(owner))
            texts.append(text)
        return texts


def marker(layer: int) -> str:
    """The character of the nth layer where there are no colours."""
    return MARKERS[layer % len(MARKERS)]


def _whole(places: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.floor(places + 0.5).astype(np.int64)
