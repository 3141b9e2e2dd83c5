"""A Python file as a format of `nnctl export`: written, run on rows of the run's data, and held against the net."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.registry import reference_name
from nnctl.errors import ExchangeFailed
from nnctl.exchange.formats import Exported, Options
from nnctl.exchange.numpy_file.inputs import given_rows
from nnctl.exchange.numpy_file.writing import write_net
from nnctl.exchange.raw import raw_inputs
from nnctl.exchange.rows import columns_of, real_rows, words_on_columns
from nnctl.graph.network import Network
from nnctl.inference.opened import SavedRun

ROWS = 64
TOLERANCE = 1e-5
"""The largest difference of outputs, in units of the largest output."""
_PROGRAM = (
    "import json, sys; sys.path.insert(0, '.'); import net, numpy; "
    "x = json.load(open('x.json')) if sys.argv[1:] else numpy.load('x.npy'); numpy.save('y.npy', net.outputs(x))"
)


class NumpyFile:
    """See `Format`."""

    words = "nets as programs that need NumPy alone"
    options = ("check", "encoded")

    def export(self, saved: SavedRun, options: Options) -> Exported:
        """See `Format`. Raises ExchangeFailed where the program answers otherwise."""
        network = Network(saved.loaded.spec, saved.signature)
        raw = None if options.encoded else raw_inputs(saved)
        text = write_net(network, raw, columns_of(saved) if raw is None else ()).encode()
        read = {v.name for v in network.unfused_prediction.inputs} & saved.saved.tensors.keys()
        arrays = _archive({name: array for name, array in saved.saved.tensors.items() if name in read})
        row: dict[str, Any] = {"lines": text.count(b"\n"), "arrays": len(read)}
        if options.check is not False:
            rows = real_rows(saved, ROWS, raw)
            given = rows.inputs if raw is None else given_rows(raw, rows.raw)
            row |= {"split": rows.split, **_compared(_run(text, arrays, given), _own(saved, rows.inputs))}
        notes = words_on_columns(saved) if raw is None else raw.remarks
        return Exported(text, [row], notes, beside={".npz": arrays})


def _archive(arrays: dict[str, NDArray[Any]]) -> bytes:
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    return content.getvalue()


def _own(saved: SavedRun, rows: NDArray[Any]) -> NDArray[Any]:
    return saved.start(reference_name()).engine.outputs(rows)


def _run(text: bytes, arrays: bytes, rows: NDArray[Any] | dict[str, Any]) -> NDArray[Any]:
    """Outputs of the program for rows, run in a process of its own that finds NumPy and nothing of ours.

    rows: an array, or columns by name.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "net.py").write_bytes(text)
        (place / "net.npz").write_bytes(arrays)
        if isinstance(rows, dict):
            (place / "x.json").write_text(json.dumps(rows), encoding="utf-8")
        else:
            np.save(place / "x.npy", rows, allow_pickle=False)
        named = ["columns"] if isinstance(rows, dict) else []
        done = subprocess.run(
            [sys.executable, "-I", "-c", _PROGRAM, *named], cwd=place, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ExchangeFailed(f"the program does not run: {done.stderr.strip().rpartition(chr(10))[2]}")
        found: NDArray[Any] = np.load(place / "y.npy", allow_pickle=False)
        return found


def _compared(theirs: NDArray[Any], own: NDArray[Any]) -> dict[str, float]:
    if theirs.shape != own.shape:
        raise ExchangeFailed(f"the program's outputs have shape {theirs.shape}, and the net's {own.shape}")
    difference = float(np.abs(theirs.astype(np.float64) - own).max(initial=0.0))
    largest = float(np.abs(own).max(initial=0.0))
    if not difference <= TOLERANCE * largest:
        raise ExchangeFailed(
            f"the program answers otherwise, by up to {difference:.3g} where the largest output is {largest:.3g}\n"
            f"  allowed are {TOLERANCE:g} of it; no file was written"
        )
    return {"largest_difference": difference, "largest_output": largest}
