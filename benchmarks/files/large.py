"""The suite `large`: data larger than memory are made, and trained with little of it.

A table and a folder of pictures, of so many GB. A small net trains on each from disk and, where they fit, in memory.
What counts of each run is the greatest resident memory of the process, the seconds until the first epoch is done, and
the seconds of an epoch once all is in place. Making is not timed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.record import keep, machine

_COLUMNS = 100
_BLOCK = 50_000
_SIDE = 1300
"""Of a made picture, in pixels: noise that PNG cannot pack, 5 MB."""
_EPOCHS = 3

Row = dict[str, Any]


def main(arguments: Sequence[str]) -> None:
    """Make what is not there, measure, print the table and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks large", description=__doc__)
    parser.add_argument("folder", type=Path, help="for what is made, which stays there, and what is kept of it")
    parser.add_argument("--table", type=float, default=4.0, metavar="GB")
    parser.add_argument("--pictures", type=float, default=20.0, metavar="GB")
    parser.add_argument("--no-save", action="store_true", help="print the table alone")
    options = parser.parse_args(arguments)
    result = machine()
    rows = measure(options.folder, options.table, options.pictures)
    lines = [
        f"`nnctl train` on data from disk and in memory, {result['machine']}, {result['cores']} cores, load "
        f"{result['load']} of other work, {result['date']}.",
        "",
        "| data | read from | memory, MB | first epoch done after, s | later epochs, s | cost at the end |",
        "|---|---|---|---|---|---|",
        *(f"| {' | '.join(map(str, row.values()))} |" for row in rows),
    ]
    print("\n".join(lines))
    if not options.no_save:
        keep("large", result | {"rows": rows}, "\n".join(lines))


def measure(folder: Path, table_gb: float, pictures_gb: float) -> list[Row]:
    """Rows of the table, one a run. What was made stays in the folder for the next time."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    if table_gb:
        path = folder / f"table-{table_gb:g}.csv"
        if not path.exists():
            _write_table(path, round(table_gb * 1e9))
        data = f"{{type: table, path: {path.name}, target: label, validation: 0.01"
        rows += [_run(folder, f"table, {path.stat().st_size / 1e9:.1f} GB", data, "", said) for said in (False, True)]
    if pictures_gb:
        path = folder / f"pictures-{pictures_gb:g}"
        size = _write_pictures(path, round(pictures_gb * 1e9))
        data = f"{{type: images, path: {path.name}, size: [64, 64], validation: 0.01"
        what = f"pictures, {size / 1e9:.1f} GB"
        rows += [_run(folder, what, data, "flatten, ", said) for said in (False, True)]
    return rows


def _run(folder: Path, what: str, data: str, first: str, in_memory: bool) -> Row:
    """One training, in a process of its own that starts with an empty folder of kept data."""
    spec = f"""
data: {data}, in_memory: {str(in_memory).lower()}}}
layers: [{first}{{type: dense, units: 64, activation: relu}}, {{type: dense, units: 2, activation: softmax}}]
cost: log_likelihood
optimizer: {{type: adam, learning_rate: 0.0001}}
schedule: {{epochs: {_EPOCHS}, batch_size: 128}}
"""  # fmt: skip
    (folder / "spec.yaml").write_text(spec, encoding="utf-8")
    kept, out = folder / "kept", folder / "run"
    for old in (kept / "data", out):
        shutil.rmtree(old, ignore_errors=True)
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "nnctl", "train", "spec.yaml", "--out", str(out)],
        cwd=folder,
        env={**os.environ, "NNCTL_CACHE": str(kept)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    epochs = [(time.perf_counter(), json.loads(line)) for line in process.stdout if '"evaluation"' in line]
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or len(epochs) < _EPOCHS:
        raise RuntimeError(f"training on the {what} ended with {process.returncode}")
    times = [when for when, _ in epochs]
    return {
        "data": what,
        "read from": "memory" if in_memory else "disk",
        "memory_mb": round(usage.ru_maxrss / 1024),
        "first_epoch_done_s": round(times[0] - begun, 1),
        "epoch_s": round(min(later - earlier for earlier, later in pairwise(times)), 2),
        "train_cost": epochs[-1][1]["train_cost"],
    }


def _write_table(path: Path, size: int) -> None:
    """A table of numbers of six digits, two classes that hang on a third of the columns."""
    rng = np.random.default_rng(1)
    weights = rng.normal(size=_COLUMNS) * (rng.random(_COLUMNS) < 0.3)
    part = path.with_suffix(".part")
    with part.open("w", encoding="ascii") as file:
        file.write(",".join([*(f"c{i}" for i in range(_COLUMNS)), "label"]) + "\n")
        while file.tell() < size:
            for lines in _lines(rng, weights):
                file.write(lines)
    part.rename(path)


def _lines(rng: np.random.Generator, weights: np.ndarray) -> Iterator[str]:
    """A block of rows, as text: each number is one of a million words that are made once."""
    words = _words()
    numbers = rng.integers(0, len(words), (_BLOCK, _COLUMNS))
    labels = (numbers / 5e5 - 1.0) @ weights + rng.normal(size=_BLOCK) > 0
    for row, label in zip(words[numbers], np.where(labels, "yes", "no")):
        yield ",".join(row) + f",{label}\n"


_kept_words: list[np.ndarray] = []


def _words() -> np.ndarray:
    if not _kept_words:
        _kept_words.append(np.array([f"{i / 5e5 - 1.0:.6f}" for i in range(1_000_000)], dtype=object))
    return _kept_words[0]


def _write_pictures(folder: Path, size: int) -> int:
    """Pictures of two classes, bright and dark noise. Returns their bytes."""
    total = number = 0
    while total < size:
        for name, low in (("bright", 60), ("dark", 0)):
            path = folder / name / f"{number:06d}.png"
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                rng = np.random.default_rng([number, low])
                pixels = rng.integers(low, low + 196, (_SIDE, _SIDE, 3)).astype(np.uint8)
                part = path.with_suffix(".part")
                Image.fromarray(pixels).save(part, "PNG", compress_level=0)
                part.rename(path)
            total += path.stat().st_size
        number += 1
    return total
