"""Colours that people tell apart, whichever colours they see: the palettes of all figures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a7a00", "#6b6b6b")
"""Of the nth curve; Okabe and Ito (2008), "Color Universal Design", the yellow darkened to be seen on white."""
SERIES_ON_DARK = ("#56b4e9", "#f08a4b", "#3fc79a", "#e29bc4", "#f0b93a", "#8cc8ff", "#c9b840", "#a8a8a8")
"""The same, lighter, for a dark background."""

_SEQUENTIAL = ("#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b")
_DIVERGING = ("#b35806", "#f1a340", "#f7f7f7", "#998ec3", "#542788")


def series(number: int) -> str:
    """The colour of the nth curve; colours return after eight."""
    return SERIES[number % len(SERIES)]


def spread(values: NDArray[np.float64], *, diverging: bool = False) -> NDArray[np.float64]:
    """Places (…) from 0 to 1 of values (…): from the least to the largest, or with 0 in the middle.

    What is not finite has the place NaN.
    """
    finite = np.isfinite(values)
    kept = values[finite]
    if diverging:
        reach = float(np.abs(kept).max(initial=0.0)) or 1.0
        low, width = -reach, 2 * reach
    else:
        low = float(kept.min(initial=np.inf)) if kept.size else 0.0
        width = (float(kept.max()) - low if kept.size else 0.0) or 1.0
    return np.where(finite, (np.where(finite, values, 0.0) - low) / width, np.nan)


def shades(values: NDArray[np.float64], *, diverging: bool = False) -> NDArray[np.float64]:
    """Colours (…, 3) from 0 to 1 of values (…): from the least to the largest, or on both sides of 0.

    What is not finite is grey.
    """
    place = spread(values, diverging=diverging)
    stops = np.array([rgb(color) for color in (_DIVERGING if diverging else _SEQUENTIAL)])
    positions = np.linspace(0, 1, len(stops))
    mixed = np.stack([np.interp(place, positions, stops[:, channel]) for channel in range(3)], axis=-1)
    return np.where(np.isfinite(place)[..., None], mixed, 0.6)


def shares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pale colours (…, 3) of shares of classes (…, classes): the mean of the classes' colours, by their shares."""
    colors = np.array([rgb(series(number)) for number in range(values.shape[-1])])
    finite = np.isfinite(values).all(axis=-1, keepdims=True)
    mixed = np.where(finite, values, 0.0) @ colors
    return np.where(finite, 1.0 - (1.0 - mixed) * 0.45, 0.6)


def rgb(color: str) -> tuple[float, float, float]:
    """Red, green and blue from 0 to 1 of a colour written as #rrggbb."""
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue
