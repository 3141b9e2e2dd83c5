"""Arrays on disk give what the same arrays in memory give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnctl.data.statistics import measure
from nnctl.data.stored.arrays import StoredArray, chosen, equal, in_memory, pieces_of
from nnctl.errors import DataError


@pytest.fixture
def both(tmp_path: Path) -> tuple[np.ndarray, StoredArray]:
    """An array, and the same on disk behind some other bytes."""
    array = np.random.default_rng(1).normal(size=(5003, 3, 2)).astype(np.float32)
    path = tmp_path / "rows"
    path.write_bytes(b"head" * 4 + array.tobytes())
    return array, StoredArray(path, array.shape, np.float32, offset=16)


def test_rows_are_those_in_memory(both: tuple[np.ndarray, StoredArray]) -> None:
    array, stored = both
    rows = np.random.default_rng(2).permutation(len(array))[:3000]
    np.testing.assert_array_equal(stored[rows], array[rows])
    np.testing.assert_array_equal(stored[17:4000], array[17:4000])
    np.testing.assert_array_equal(stored[4990:9999], array[4990:])
    assert stored[5:5].shape == (0, 3, 2)
    assert (stored.shape, stored.ndim, len(stored), stored.nbytes) == (array.shape, 3, len(array), array.nbytes)


def test_some_of_some_rows(both: tuple[np.ndarray, StoredArray]) -> None:
    array, stored = both
    even = np.arange(0, len(array), 2)
    part = chosen(chosen(stored, even), np.array([1, 2, 5]))
    np.testing.assert_array_equal(part[:], array[[2, 4, 10]])
    assert equal(part, array[[2, 4, 10]])
    assert not equal(part, array[[2, 4, 11]])
    assert not equal(part, array[[2, 4]])


def test_pieces_join_to_the_whole(both: tuple[np.ndarray, StoredArray], monkeypatch: pytest.MonkeyPatch) -> None:
    array, stored = both
    monkeypatch.setattr("nnctl.data.stored.arrays._PIECE_BYTES", 1000)
    lengths = [len(piece) for piece in pieces_of(stored, 10)]
    assert set(lengths[:-1]) == {40}
    np.testing.assert_array_equal(np.concatenate(list(pieces_of(stored))), array)
    np.testing.assert_array_equal(stored[np.arange(99, -1, -1)], array[99::-1])


def test_statistics_are_equal_to_the_bit(both: tuple[np.ndarray, StoredArray]) -> None:
    one, other = map(measure, both)
    for name in ("mean", "std", "minimum", "maximum"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_cut_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(bytes(39))
    with pytest.raises(DataError, match="it was cut"):
        StoredArray(tmp_path / "rows", (10, 1), np.float32)
    with pytest.raises(DataError, match="cannot be read"):
        StoredArray(tmp_path / "none", (10, 1), np.float32)


def test_what_does_not_fit_is_refused_whole(
    both: tuple[np.ndarray, StoredArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    array, stored = both
    np.testing.assert_array_equal(in_memory(stored, "it"), array)
    monkeypatch.setattr("nnctl.data.limits.memory.available", lambda: 1000)
    with pytest.raises(DataError, match="it takes"):
        in_memory(stored, "it")
