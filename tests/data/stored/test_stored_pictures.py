"""Pictures decoded once to disk are those that are decoded into memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnctl.data.dataset import load_dataset
from nnctl.data.sources.images import Images
from nnctl.data.stored.arrays import StoredArray
from nnctl.data.stored.folder import entries
from nnctl.errors import DataError


@pytest.fixture(autouse=True)
def _pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("nnctl.data.formats.images._TOGETHER", 4)
    rng = np.random.default_rng(5)
    for number in range(15):
        folder = tmp_path / "pets" / ("cat", "dog", "eel")[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (9 + number % 2, 8, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def test_the_set_is_the_same(tmp_path: Path) -> None:
    whole, stored = (
        load_dataset(Images(path="pets", size=(6, 5), validation=0.2, in_memory=said), tmp_path, 1)
        for said in (True, False)
    )
    assert isinstance(stored.train.inputs, StoredArray)
    assert stored.fingerprint == whole.fingerprint
    assert [each.what for each in entries()] == ["pictures"]


def test_a_picture_that_changed_is_decoded_anew(tmp_path: Path) -> None:
    source = Images(path="pets", size=(6, 5), in_memory=False)
    first = load_dataset(source, tmp_path, 1).fingerprint
    Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "pets" / "cat" / "0.png")
    assert load_dataset(source, tmp_path, 1).fingerprint != first


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_first_that_is_broken_is_named(in_memory: bool, tmp_path: Path) -> None:
    for name in ("dog/4.png", "eel/14.png"):
        (tmp_path / "pets" / name).write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"dog/4\.png cannot be read"):
        load_dataset(Images(path="pets", size=(6, 5), in_memory=in_memory), tmp_path, 1)
    with pytest.raises(DataError, match=r"is 10×8, and .* is 9×8"):
        load_dataset(Images(path="pets", in_memory=in_memory), tmp_path, 1)
    assert entries() == []
