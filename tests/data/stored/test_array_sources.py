"""Arrays of files read from disk in windows are those that are read whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnctl.data.dataset import load_dataset
from nnctl.data.sources.arrays import Npy, Npz
from nnctl.data.stored.arrays import StoredArray
from nnctl.data.stored.folder import entries
from nnctl.errors import DataError

RNG = np.random.default_rng(7)
LABELS = RNG.integers(0, 3, 300)
KINDS = {
    "float32": RNG.normal(size=(300, 4)).astype(np.float32),
    "float64": RNG.normal(size=(300, 2, 3)),
    "big-endian": RNG.normal(size=(300, 4)).astype(">f4"),
    "bytes": RNG.integers(0, 256, (300, 5, 5, 1)).astype(np.uint8),
    "vector": RNG.normal(size=300).astype(np.float32),
    "int16": RNG.integers(-9, 9, (300, 2)).astype(np.int16),
}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("nnctl.data.formats.numpy_files._CHUNK_BYTES", 1000)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("packed", [False, True])
def test_an_archive(kind: str, packed: bool, tmp_path: Path) -> None:
    save = np.savez_compressed if packed else np.savez
    save(tmp_path / "a.npz", inputs=KINDS[kind], targets=LABELS, more=KINDS[kind][:50], truth=LABELS[:50])
    whole, stored = (
        load_dataset(
            Npz(path="a.npz", validation=0.2, test_inputs="more", test_targets="truth", in_memory=said), tmp_path, 3
        )
        for said in (True, False)
    )
    assert stored.fingerprint == whole.fingerprint
    for name, split in stored.splits.items():
        assert isinstance(split.inputs, StoredArray)
        np.testing.assert_array_equal(split.inputs[:], whole.splits[name].inputs)
        np.testing.assert_array_equal(split.targets, whole.splits[name].targets)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file(kind: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", KINDS[kind])
    np.save(tmp_path / "y.npy", LABELS)
    whole, stored = (
        load_dataset(Npy(path="x.npy", targets="y.npy", validation=50, in_memory=said), tmp_path, 3)
        for said in (True, False)
    )
    assert stored.fingerprint == whole.fingerprint
    # What lies in the file as the net reads it is not written again.
    assert len(entries()) == (0 if kind in ("float32", "bytes", "vector") else 1)


def test_indices_are_checked_on_their_way(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[1, 2], [3, -1]]))
    np.save(tmp_path / "y.npy", np.array([0, 1]))
    with pytest.raises(DataError, match="an index is -1"):
        load_dataset(Npy(path="x.npy", targets="y.npy", indices=True, in_memory=False), tmp_path, 0)
    assert entries() == []


def test_the_order_of_fortran_asks_for_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.asfortranarray(KINDS["float32"]))
    np.save(tmp_path / "y.npy", LABELS)
    with pytest.raises(DataError, match="save it in C order"):
        load_dataset(Npy(path="x.npy", targets="y.npy", in_memory=False), tmp_path, 0)


def test_what_does_not_fit_goes_to_disk_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "a.npz", inputs=KINDS["float64"], targets=LABELS)
    monkeypatch.setattr("nnctl.data.stored.folder.memory.available", lambda: 20_000)
    assert isinstance(load_dataset(Npz(path="a.npz"), tmp_path, 0).train.inputs, StoredArray)


def test_what_is_reconstructed_is_the_same(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", inputs=KINDS["float32"], targets=LABELS)
    whole, stored = (
        load_dataset(Npz(path="a.npz", reconstruct=True, in_memory=said), tmp_path, 0) for said in (True, False)
    )
    np.testing.assert_array_equal(stored.train.targets, whole.train.targets)
