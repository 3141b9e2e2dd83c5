"""Data sets that are the same whatever the seed, and those that are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnctl.components.registry import components
from nnctl.data.dataset import load_dataset
from nnctl.data.source import Source
from nnctl.data.sources.generated import GeneratedSource
from nnctl.spec.load import load_text

NET = "layers: [{type: dense, units: 3, activation: softmax}]\ncost: log_likelihood\nschedule: {epochs: 1}\n"
DIVISIONS = {
    "": False,
    "split: ordered": False,
    "validation: 0, test: 0": False,
    "validation: 12, split: ordered": False,
    "validation: 12, test: 0.2, subset: 9, split: ordered": False,
    "transforms: [standardize], weights: balanced": False,
    "classes: [0, 2]": False,
    "validation: 12": True,
    "test: 12, split: random": True,
    "subset: 20": True,
    "fold: [0, 4]": True,
    "augment: [{type: noise, std: 0.1}]": False,
}


def files(folder: Path) -> dict[str, str]:
    """Sources of every kind that reads files, of small ones here, by what the spec says of them."""
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 2)).round(3), np.arange(60) % 3
    np.savez(folder / "data.npz", inputs=x.astype(np.float32), targets=y)
    np.save(folder / "x.npy", x.astype(np.float32))
    np.save(folder / "y.npy", y)
    rows = "".join(f"{a},{b},c{c}\n" for (a, b), c in zip(x, y, strict=True))
    (folder / "table.csv").write_text(f"a,b,c\n{rows}")
    return {
        "npz": "{type: npz, path: data.npz",
        "npy": "{type: npy, path: x.npy, targets: y.npy",
        "csv": "{type: csv, path: table.csv, target: c",
        "table": "{type: table, path: table.csv, target: c",
    }


@pytest.mark.parametrize("name", ["npz", "npy", "csv", "table"])
@pytest.mark.parametrize("division", DIVISIONS)
def test_another_seed_makes_another_set_only_where_it_is_drawn(tmp_path: Path, name: str, division: str) -> None:
    if "classes" in division and name in ("csv", "table"):
        division = "classes: [c0, c2]"
    text = f"{files(tmp_path)[name]}{', ' if division else ''}{division}}}"
    source = load_text(f"data: {text}\n{NET}", folder=tmp_path).spec.data
    assert isinstance(source, Source)
    drawn = DIVISIONS["classes: [0, 2]" if "classes" in division else division]
    assert source.drawn == drawn
    fingerprints = {load_dataset(source, tmp_path, seed).fingerprint for seed in range(4)}
    assert (len(fingerprints) > 1) == drawn


def test_what_is_generated_hangs_on_the_seed_and_what_is_read_does_not() -> None:
    for kind in components("data").values():
        assert kind.seeded == issubclass(kind, GeneratedSource), kind
