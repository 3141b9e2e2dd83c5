"""Weights in a safetensors file, by our names or in the layout of PyTorch or Keras, with a table of names."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from nnctl.errors import require_choice
from nnctl.exchange.formats import Exported, Options
from nnctl.exchange.rows import words_on_columns
from nnctl.graph import interface
from nnctl.graph.network import Network
from nnctl.inference.opened import SavedRun
from nnctl.weights.turning import LAYOUTS, OWN, weighted_layers

NAMES = ".names.csv"
"""The ending of the table beside the file."""
_OF_DATA = (interface.SHIFT, interface.SCALE, interface.TARGET_SHIFT, interface.TARGET_SCALE)


class WeightsOfNet:
    """See `Format`."""

    words = "weights by their names"
    options = ("layout",)

    def export(self, saved: SavedRun, options: Options) -> Exported:
        """See `Format`. A row for each array, which are also a table beside the file."""
        word = options.layout or OWN
        require_choice("--layout", word, LAYOUTS)
        network = Network(saved.loaded.spec, saved.signature)
        layers = weighted_layers(network.spec, network.signature, LAYOUTS[word])
        arrays: dict[str, NDArray[Any]] = {}
        rows: list[dict[str, Any]] = []
        for path in layers.calls:
            for name, there in layers.give(path, saved.saved.tensors).items():
                arrays[f"{path}.{name}"] = np.array(there.array, order="C")
                of = " + ".join(f"{path}.{each}" for each in there.of)
                shape = " × ".join(map(str, there.array.shape))
                rows.append({"here": of, "there": f"{path}.{name}", "shape": shape, "turned": there.how})
        statistics = {name: saved.saved.tensors[name] for name in _OF_DATA if name in saved.saved.tensors}
        if word == OWN:
            arrays |= statistics
            rows += [{"here": n, "there": n, "shape": " × ".join(map(str, a.shape)), "turned": ""}
                     for n, a in statistics.items()]  # fmt: skip
        metadata = {"layout": word, **({"format": "pt"} if word == "torch" else {})}
        metadata |= {name.replace(".", "_"): json.dumps(array.tolist()) for name, array in statistics.items()}
        if saved.signature.classes is not None:
            metadata["classes"] = json.dumps(saved.signature.classes)
        notes = words_on_columns(saved)
        if interface.SHIFT in statistics:
            notes.append("inputs enter the net as (x − data_shift)·data_scale, both in the file's metadata")
        if interface.TARGET_SHIFT in statistics:
            notes.append(
                "values are the net's outputs / data_target_scale + data_target_shift, both in the file's metadata"
            )
        if layers.orders:
            notes.append("maps have their channels first there: (batch, channels, height, width)")
        content = safetensors.numpy.save(arrays, metadata)
        return Exported(content, rows, notes, beside={NAMES: _table(rows)})


def _table(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["here", "there", "shape", "turned"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
