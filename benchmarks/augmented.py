"""The suite `augmented`: epochs of the book's convolutional net with augmentations, beside epochs without.

All nets train in this process, an epoch in turn, on the same images. The best round of each counts, of the wall's time
and of the processor's, that of every thread together.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cpu import keep_to
from benchmarks.data import Images
from benchmarks.record import cores, keep, machine, versions, words_of

NOTHING = "nothing"
AUGMENTATIONS = {
    NOTHING: "[]",
    "shift": "[shift]",
    "rotate": "[rotate]",
    "stretched crop": "[{type: random_crop, least: 0.8}]",
    "elastic": "[elastic]",
    "rotate, elastic": "[rotate, elastic]",
    "flip": "[flip]",
    "cutout": "[{type: cutout, size: 6}]",
    "noise": "[noise]",
    "mixup": "[mixup]",
}
"""Changes of an image, as a spec says them. The book's is the shift by a pixel; slants and sizes cost what turns do."""
_ALLOWED = 1.15
"""The ratio of an epoch to one without augmentation up to which it is cheap."""
_SPEC = """
data: {{type: npz, path: images.npz, transforms: [min_max], augment: {augment}}}
layers:
  - {{type: conv2d, filters: 20, kernel: 5, activation: relu}}
  - {{type: max_pool, size: 2}}
  - {{type: conv2d, filters: 40, kernel: 5, activation: relu}}
  - {{type: max_pool, size: 2}}
  - flatten
  - {{type: dense, units: 100, activation: relu}}
  - {{type: dense, units: 10, activation: softmax}}
initializer: he_normal
cost: log_likelihood
optimizer: {{type: sgd, learning_rate: 0.03}}
schedule: {{epochs: {epochs}, batch_size: 10}}
backend: cpu
"""


def measure(folder: Path, *, images: int, rounds: int, threads: int) -> list[dict[str, Any]]:
    """Rows of the results: of each augmentation the seconds an image of every round, of wall and processor."""
    inputs, targets = Images((28, 28, 1), images).arrays()
    np.savez(folder / "images.npz", inputs=inputs, targets=targets)
    rows: list[dict[str, Any]] = [{"augment": name, "wall_s": [], "processor_s": []} for name in AUGMENTATIONS]
    with ExitStack() as ends:
        runs = []
        for number, augment in enumerate(AUGMENTATIONS.values()):
            path = folder / f"{number}.yaml"
            path.write_text(_SPEC.format(augment=augment, epochs=rounds + 1), encoding="utf-8")
            runs.append(ends.enter_context(closing(_epochs(path, folder / str(number), threads))))
        # The first epoch compiles.
        for timed in (False, *(True for _ in range(rounds))):
            for row, run in zip(rows, runs):
                wall, processor = time.perf_counter(), time.process_time()
                next(run)
                if timed:
                    row["wall_s"].append((time.perf_counter() - wall) / images)
                    row["processor_s"].append((time.process_time() - processor) / images)
    return rows


def lines_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A table in Markdown: microseconds an image, and over those without augmentation, in bold where that is much."""
    lines = ["| augmentation | wall, µs | over none | processor, µs | over none |", "|---|---|---|---|---|"]
    for row in rows:
        cells = []
        for key in ("wall_s", "processor_s"):
            taken, plain = min(row[key]), min(rows[0][key])
            mark = "**" if taken > _ALLOWED * plain else ""
            cells += [f"{1e6 * taken:.3g}", f"{mark}{taken / plain:.2f}{mark}"]
        lines.append(f"| {row['augment']} | {' | '.join(cells)} |")
    return lines


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks augmented", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument(
        "--images", type=int, default=4096, help="in an epoch: short ones, of which many rounds find a quiet moment"
    )
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--no-save", action="store_true", help="print the table alone")
    parser.add_argument("--quick", action="store_true", help="see that everything runs: few images, nothing kept")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.images = 1, 40
    keep_to(options.threads)
    result = machine()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), images=options.images, rounds=options.rounds, threads=options.threads)
    lines = [
        f"The net of chapter 6 on batches of 10: an image of an epoch, best of {options.rounds} interleaved rounds, "
        f"{options.threads} threads, {words_of(result)}, load {result['load']} of other work, {result['date']}.",
        "",
        *lines_of(rows),
    ]
    print("\n".join(lines))
    if not (options.no_save or options.quick):
        kept = {"threads": options.threads, "versions": versions(("nnctl", "numpy")), "rows": rows}
        keep("augmented", result | kept, "\n".join(lines))


def _epochs(path: Path, out: Path, threads: int) -> Generator[None, None, None]:
    """A run of a spec, which goes on until the next epoch is over."""
    from nnctl.spec.load import load_spec
    from nnctl.training.events import Evaluated
    from nnctl.training.session import train

    for event in train(load_spec(path), out=out, threads=threads):
        if isinstance(event, Evaluated):
            yield
