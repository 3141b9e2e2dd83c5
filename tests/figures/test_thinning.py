"""Thinning of curves: no peak is lost, and short curves stay as they are."""

from __future__ import annotations

import numpy as np

from nnctl.figures.thinning import thinned


def test_a_short_curve_keeps_all_its_points() -> None:
    assert thinned([np.zeros(7)], 10).tolist() == list(range(7))


def test_ends_peaks_and_gaps_stay() -> None:
    line = np.sin(np.linspace(0, 9, 50_000))
    line[31_234], line[8_765], line[20_001] = 5.0, -5.0, np.nan
    band = np.zeros(50_000)
    band[40_404] = 7.0
    kept = thinned([line, band], 600)
    assert len(kept) <= 700
    assert {0, 49_999, 31_234, 8_765, 20_001, 40_404} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()
