"""A Python file as a format of `nnctl export`: written, run on rows of the run's data, and held against the net."""

from __future__ import annotations

import io
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
from nnctl.exchange.numpy_file.writing import write_net
from nnctl.exchange.rows import real_rows
from nnctl.graph.network import Network
from nnctl.inference.opened import SavedRun

ROWS = 64
TOLERANCE = 1e-5
"""The largest difference of outputs, in units of the largest output."""
_PROGRAM = (
    "import sys; sys.path.insert(0, '.'); import net, numpy; numpy.save('y.npy', net.outputs(numpy.load('x.npy')))"
)


class NumpyFile:
    """See `Format`."""

    words = "nets as programs that need NumPy alone"
    options = ("check",)

    def export(self, saved: SavedRun, options: Options) -> Exported:
        """See `Format`. Raises ExchangeFailed where the program answers otherwise."""
        network = Network(saved.loaded.spec, saved.signature)
        text = write_net(network).encode()
        read = {v.name for v in network.unfused_prediction.inputs} & saved.saved.tensors.keys()
        arrays = _archive({name: array for name, array in saved.saved.tensors.items() if name in read})
        row: dict[str, Any] = {"lines": text.count(b"\n"), "arrays": len(read)}
        if options.check is not False:
            split, rows = real_rows(saved, ROWS)
            row |= {"split": split, **_compared(_run(text, arrays, rows), _own(saved, rows))}
        return Exported(text, [row], beside={".npz": arrays})


def _archive(arrays: dict[str, NDArray[Any]]) -> bytes:
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    return content.getvalue()


def _own(saved: SavedRun, rows: NDArray[Any]) -> NDArray[Any]:
    return saved.start(reference_name()).engine.outputs(rows)


def _run(text: bytes, arrays: bytes, rows: NDArray[Any]) -> NDArray[Any]:
    """Outputs of the program for rows, run in a process of its own that finds NumPy and nothing of ours."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "net.py").write_bytes(text)
        (place / "net.npz").write_bytes(arrays)
        np.save(place / "x.npy", rows, allow_pickle=False)
        done = subprocess.run(
            [sys.executable, "-I", "-c", _PROGRAM], cwd=place, capture_output=True, text=True, check=False
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
