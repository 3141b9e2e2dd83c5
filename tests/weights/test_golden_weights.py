"""Weights that PyTorch and Keras have written give their outputs; written back, they are the same arrays.

scripts/golden_weights.py has made the files and says what is in a case.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.components.signature import DataSignature
from nnctl.engine.engine import Engine
from nnctl.spec.dump import dump_data
from nnctl.spec.load import Loaded, load_text
from nnctl.training.transfer import transfer
from nnctl.weights.files import read_weights
from nnctl.weights.reading import Reading
from nnctl.weights.turning import LAYOUTS, weighted_layers

FOLDER = Path(__file__).parent / "golden"
CASES = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))


def engine_of(case: dict[str, Any]) -> tuple[Loaded, Engine]:
    """A net with the layers of a case, whose spec begins from its file."""
    if case["file"].endswith(("h5", ".keras")):
        pytest.importorskip("h5py")
    inputs = np.array(case["inputs"])
    spec = {
        "data": {"type": "blobs"}, "cost": "mse", "backend": "numpy", "convention": case["convention"],
        "layers": case["layers"], "from": {"file": case["file"], "rename": case["rename"]},
    }  # fmt: skip
    loaded = load_text(dump_data(spec), folder=FOLDER)
    kind = "index" if inputs.dtype.kind == "i" else "real"
    outputs = np.array(case["outputs"]).shape[1:]
    signature = DataSignature(inputs.shape[1:], kind, target_shape=outputs)
    return loaded, Engine(loaded.spec, signature, seed=0, examples=10)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_outputs_are_the_librarys_and_written_back_the_arrays_are(case: dict[str, Any]) -> None:
    loaded, engine = engine_of(case)
    transfer(loaded, engine)
    dtype = np.int64 if engine.network.signature.input_dtype == "index" else np.float32
    outputs = engine.outputs(np.array(case["inputs"], dtype))
    np.testing.assert_allclose(outputs, case["outputs"], rtol=2e-6, atol=1e-6)

    written_back(case, engine)


def written_back(case: dict[str, Any], engine: Engine) -> None:
    """The net's arrays in the library's layout are those of the file."""
    library = case["convention"]
    layers = weighted_layers(engine.network.spec, engine.network.signature, LAYOUTS[library])
    state, file = engine.state(), read_weights(FOLDER / case["file"])
    wanted = {name: array.shape for name, array in state.items() if "optimizer" not in name}
    taken = Reading(file, lambda word: layers, wanted, None, case["rename"]).take(library)
    for path, names in taken.layers.items():
        written = layers.give(path, state)
        kept = [there for name, there in written.items() if not name.endswith("num_batches_tracked")]
        assert len(kept) == len([name for name in names if not name.endswith("num_batches_tracked")])
        for name, there in zip([n for n in names if not n.endswith("num_batches_tracked")], kept):
            np.testing.assert_array_equal(there.array, file.arrays[name], err_msg=f"{path}: {name}")
