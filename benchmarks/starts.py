"""The suite `starts`: how long a user waits for a net that this machine has not seen, and for one that it has.

Each figure is of a whole command in a process of its own. A net is trained for one epoch of a few examples, validation
included, with a folder of compiled code that is empty, or holds what other nets have left there, or this net's own.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.command import ROOT, Spent, nnctl
from benchmarks.nets import characters, fields, mlp, vgg
from benchmarks.record import keep, machine, versions, words_of

OURS, BEFORE = "nnctl", "before"
WIDTHS = (20, 24, 28, 36, 40, 44, 52, 60)
_REST = "  - {type: activation, activation: softmax}\ncost: log_likelihood\nschedule: {epochs: 1, batch_size: 16}\n"
_IMAGES = "data: {type: npz, path: images.npz, validation: 16}\nlayers:\n"
_OBJECTS = "data: {type: npz, path: objects.npz, validation: 16}\nlayers:\n"
_TEXT = "data: {type: text, path: text.txt, length: 64, validation: 0.25, contiguous: false}\nlayers:\n  - one_hot\n"


def _equal(layers: int) -> str:
    inner = "{type: dense, units: 30, activation: tanh}"
    repeated = f"  - {{type: repeat, times: {layers}, layers: [{inner}]}}\n"
    return f"{_IMAGES}  - flatten\n{repeated}  - {{type: dense, units: 10}}\n{_REST}"


def _convolutions(layers: int) -> str:
    inner = "{type: conv2d, filters: 4, kernel: 3, padding: same, activation: relu}"
    repeated = f"  - {{type: repeat, times: {layers}, layers: [{inner}]}}\n"
    return f"{_OBJECTS}{repeated}  - flatten\n  - {{type: dense, units: 10}}\n{_REST}"


def _residual(blocks: int) -> str:
    convolution = "{type: conv2d, filters: 4, kernel: 3, padding: same, bias: false}, batch_norm"
    block = f"[{convolution}, {{type: activation, activation: relu}}, {convolution}]"
    repeated = f"  - {{type: repeat, times: {blocks}, layers: [{{type: residual, layers: {block}}}]}}\n"
    first = "  - {type: conv2d, filters: 4, kernel: 3, padding: same}\n"
    return f"{_OBJECTS}{first}{repeated}  - global_average_pool\n  - {{type: dense, units: 10}}\n{_REST}"


def _recurrent(layers: int) -> str:
    inner = "{type: lstm, units: 8, return_sequence: true}"
    return f"{_TEXT}  - {{type: repeat, times: {layers}, layers: [{inner}]}}\n  - {{type: dense, units: 26}}\n{_REST}"


NETS = {
    "dense, 30 hidden": _IMAGES + fields(mlp(30, activation="sigmoid"), (28, 28, 1)) + _REST,
    "32 equal layers": _equal(32),
    "200 equal layers": _equal(200),
    "200 convolutions": _convolutions(200),
    "200 residual convolutions": _residual(100),
    "VGG with batch norm": _OBJECTS + fields(vgg(32, 64, 128), (32, 32, 3)) + _REST,
    "200 LSTM layers": _recurrent(200),
    "LSTM 128": _TEXT + fields(characters("lstm", 128, 26), (64, 26)) + _REST,
    "GRU 128": _TEXT + fields(characters("gru", 128, 26), (64, 26)) + _REST,
}
"""Specs of the nets that are started."""
_OTHERS = {
    "dense": _IMAGES + fields(mlp(12, activation="relu"), (28, 28, 1)) + _REST,
    "convolutional": _OBJECTS + fields(vgg(8, 16), (32, 32, 3)) + _REST,
    "recurrent": _TEXT + fields(characters("rnn", 16, 26), (64, 26)) + _REST,
}
"""Specs of the nets that have been there before: smaller, with other layers."""
FIRST, AFTER_ONE, AFTER_ALL, AGAIN = "very first", "after a dense net", "after a net of each kind", "again"
COLD = (FIRST, AFTER_ONE, AFTER_ALL)
CASES = (*COLD, AGAIN)
"""States of the folder of compiled code, the columns of the table."""
SWEEP, PREDICT, HELP = "sweep over new widths", "predict, one row", "--help"
STARTS = (*NETS, SWEEP, PREDICT, HELP)
"""The starts, rows of the table."""

Figures = dict[tuple[str, str, str], list[Spent]]
"""By what was started, in which case, by which version."""


@dataclass
class _Version:
    """A checkout, with its own folders of runs and of compiled code."""

    name: str
    checkout: Path
    folder: Path
    runs: int = field(default=0)

    @property
    def cache(self) -> Path:
        """The folder of compiled code. Always the same: what is kept may depend on where it lies."""
        return self.folder / "cache"

    def command(self, *arguments: str) -> Spent:
        """Run a command of nnctl."""
        return nnctl(self.folder, *arguments, checkout=self.checkout, environment={"NNCTL_CACHE": str(self.cache)})

    def trained(self, spec: str) -> Spent:
        """Train, into a folder of its own."""
        (self.folder / "spec.yaml").write_text(spec, encoding="utf-8")
        self.runs += 1
        return self.command("train", "spec.yaml", "--out", f"run-{self.runs}", "--quiet")

    def keep_cache(self, name: str) -> None:
        """Remember the folder of compiled code as it is."""
        shutil.copytree(self.cache, self.folder / name)

    def restore(self, name: str | None) -> None:
        """Let the folder of compiled code be as it was when it was kept; empty for None."""
        shutil.rmtree(self.cache, ignore_errors=True)
        if name is not None:
            shutil.copytree(self.folder / name, self.cache)


def measure(
    checkouts: Mapping[str, Path],
    starts: Sequence[str],
    cases: Sequence[str],
    rounds: int,
    folder: Path,
    widths: Sequence[int],
) -> Figures:
    """Figures of each start, a net in every case; versions take turns.

    cases: of `COLD`, at least one; `AGAIN` follows. folder: empty. widths: those of the sweep.
    """
    versions = [_Version(name, checkout, folder / name) for name, checkout in checkouts.items()]
    for version in versions:
        version.folder.mkdir()
        _write_data(version.folder)
        _prepare(version, cases)
    figures: Figures = {}
    for what in starts:
        for case, before, work in _trainings(NETS[what], cases) if what in NETS else _commands(what, widths):
            _in_turns(figures, versions, rounds, (what, case), before, work)
    return figures


_Work = Callable[[_Version], Spent]
_Before = Callable[[_Version], object]


def _prepare(version: _Version, cases: Sequence[str]) -> None:
    """Keep the folders of compiled code that cases begin with. Modules are compiled to bytecode on the way."""
    version.trained(_OTHERS["dense"])
    version.keep_cache(AFTER_ONE)
    if AFTER_ALL in cases:
        version.trained(_OTHERS["convolutional"])
        version.trained(_OTHERS["recurrent"])
        version.keep_cache(AFTER_ALL)


def _trainings(spec: str, cases: Sequence[str]) -> Iterator[tuple[str, _Before, _Work]]:
    for case in cases:
        kept = None if case == FIRST else case
        yield case, lambda version, kept=kept: version.restore(kept), lambda version: version.trained(spec)
    yield AGAIN, lambda version: None, lambda version: version.trained(spec)


def _commands(what: str, widths: Sequence[int]) -> Iterator[tuple[str, _Before, _Work]]:
    """A sweep over new widths and the same again, one row predicted by a run, or `--help`."""
    spec = NETS["dense, 30 hidden"]

    def sweep(version: _Version) -> Spent:
        version.runs += 1
        (version.folder / "spec.yaml").write_text(spec, encoding="utf-8")
        grid = f"layers[name=layer1].units={','.join(map(str, widths))}"
        return version.command("sweep", "spec.yaml", "--grid", grid, "--out", f"sweep-{version.runs}", "--quiet")

    def train(version: _Version) -> None:
        if not (version.folder / "of-one").exists():
            (version.folder / "spec.yaml").write_text(spec, encoding="utf-8")
            version.command("train", "spec.yaml", "--out", "of-one", "--quiet")

    def predict(version: _Version) -> Spent:
        return version.command("predict", "of-one", "one.npy", "--out", "one.jsonl", "--force")

    if what == SWEEP:
        yield AFTER_ONE, lambda version: version.restore(AFTER_ONE), sweep
        yield AGAIN, lambda version: None, sweep
    elif what == PREDICT:
        yield AGAIN, train, predict
    else:
        yield AGAIN, lambda version: None, lambda version: version.command("--help")


def _in_turns(
    figures: Figures,
    versions: Sequence[_Version],
    rounds: int,
    named: tuple[str, str],
    before: _Before,
    work: _Work,
) -> None:
    for _ in range(rounds):
        for version in versions:
            before(version)
            figures.setdefault((*named, version.name), []).append(work(version))
    for version in versions:
        best = min(spent.clock for spent in figures[*named, version.name])
        print(f"{', '.join(named)}, {version.name}: {best:.2f} s", flush=True)


def _write_data(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for name, shape in (("images", (28, 28, 1)), ("objects", (32, 32, 3))):
        inputs = rng.random((64, *shape), np.float32)
        np.savez(folder / f"{name}.npz", inputs=inputs, targets=np.arange(64) % 10)
    np.save(folder / "one.npy", rng.random((1, 28, 28, 1), np.float32))
    letters = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz", np.uint8)
    (folder / "text.txt").write_bytes(letters[rng.permuted(np.arange(64 * 64) % 26)].tobytes())


def rows_of(figures: Figures) -> list[dict[str, Any]]:
    """The figures as rows of the results: all rounds, in seconds."""
    return [
        {
            "start": what,
            "case": case,
            "version": version,
            "clock_s": [round(spent.clock, 3) for spent in found],
            "processor_s": [round(spent.processor, 3) for spent in found],
        }
        for (what, case, version), found in figures.items()
    ]


def lines_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table in Markdown: seconds of the clock and, in brackets, of the processor, the best round of each."""
    cases = [case for case in CASES if any(row["case"] == case for row in rows)]
    cells = {
        (row["start"], row["version"], row["case"]): f"{min(row['clock_s']):.2f} ({min(row['processor_s']):.2f})"
        for row in rows
    }
    lines = [f"| start | version | {' | '.join(cases)} |", "|---|---|" + "---|" * len(cases)]
    for what, version in dict.fromkeys((what, version) for what, version, _ in cells):
        lines.append(f"| {what} | {version} | {' | '.join(cells.get((what, version, c), '–') for c in cases)} |")
    return lines


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks starts", description=__doc__)
    parser.add_argument("--only", action="append", metavar="WORDS", help="starts whose name contains this, or another")
    parser.add_argument("--cases", nargs="+", choices=COLD, default=COLD, help="states of the folder of compiled code")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another checkout of nnctl, started in turn")
    parser.add_argument("--no-save", action="store_true", help="print the table alone, as with --only and --cases")
    parser.add_argument("--quick", action="store_true", help="see that everything starts: one net, nothing kept")
    options = parser.parse_args(arguments)
    checkouts = {OURS: ROOT} | ({} if options.against is None else {BEFORE: options.against.resolve()})
    starts = [s for s in STARTS if options.only is None or any(o.casefold() in s.casefold() for o in options.only)]
    rounds, cases, widths = options.rounds, tuple(case for case in COLD if case in options.cases), WIDTHS
    if options.quick:
        starts, rounds, cases, widths = [next(iter(NETS)), SWEEP, PREDICT, HELP], 1, (AFTER_ONE,), WIDTHS[:1]
    result = machine()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(checkouts, starts, cases, rounds, Path(folder), widths)
    rows = rows_of(figures)
    lines = [
        f"Seconds until a command has ended, and in brackets those of the processor, best of {rounds}; the sweep has "
        f"{len(widths)} widths; {words_of(result)}, load {result['load']} of other work, {result['date']}.",
        "",
        *lines_of(rows),
    ]
    print("\n" + "\n".join(lines))
    if not (options.no_save or options.quick or options.only or cases != COLD):
        kept = {"rounds": rounds, "versions": versions(("nnctl", "numpy", "llvmlite")), "rows": rows}
        keep("starts", result | kept, "\n".join(lines))
