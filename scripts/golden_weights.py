"""The files of tests/weights/golden/, written: small nets of PyTorch and Keras, and their outputs.

Neither is a dependency; made with PyTorch 2.13.0 and Keras 3.15.1 by
`KERAS_BACKEND=torch python scripts/golden_weights.py`.

cases.json has for each file the layers as a spec says them, the inputs in our axes (batch, *axes, channels), and the
outputs of the library in float64. Weights are waves (see `wave`), running variances positive ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import safetensors.numpy
import torch
from safetensors.torch import save_file
from torch import nn

FOLDER = Path(__file__).parents[1] / "tests" / "weights" / "golden"


def wave(shape: Any, phase: float) -> Any:
    """Numbers between −1 and 1 that no two axes share."""
    count = int(np.prod(shape))
    return np.sin(np.arange(count) * 0.7 + phase).reshape(shape)


# -- PyTorch ---------------------------------------------------------------------------------


class Cells(nn.Module):
    """Both directions of an LSTM, then the last state of a GRU."""

    def __init__(self) -> None:
        super().__init__()
        self.both = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
        self.last = nn.GRU(8, 3, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.last(self.both(x)[0])[1][0]


class Tokens(nn.Module):
    """Vectors of tokens, a plain recurrent layer, a norm of its states."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5, 3)
        self.cell = nn.RNN(3, 4, batch_first=True, nonlinearity="relu")
        self.norm = nn.LayerNorm(4)

    def forward(self, x: Any) -> Any:
        return self.norm(self.cell(self.table(x))[0])


def _channels_first(x: Any) -> Any:
    return torch.movedim(x, -1, 1)


def _same(x: Any) -> Any:
    return x


TORCH: list[tuple[str, Callable[[], nn.Module], list[Any], dict[str, str], list[int], Callable[[Any], Any]]] = [
    (
        "dense", lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.Sigmoid()),
        [{"type": "dense", "units": 4, "activation": "tanh"}, {"type": "dense", "units": 4, "activation": "sigmoid"}],
        {"0": "dense1", "2": "dense2"}, [5, 3], _same,
    ),
    (
        "convolution",
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, (3, 2), padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
            nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2), nn.Flatten(), nn.BatchNorm1d(6 * 6 * 6), nn.Linear(216, 3),
        ),
        [
            {"type": "conv2d", "filters": 4, "kernel": [3, 2], "padding": 1, "name": "first"},
            {"type": "batch_norm", "name": "norm"}, {"type": "activation", "activation": "relu"}, "max_pool",
            {"type": "conv_transpose2d", "filters": 6, "kernel": 2, "stride": 2, "groups": 2, "name": "second"},
            "flatten", {"type": "batch_norm", "name": "flat"}, {"type": "dense", "units": 3, "name": "out"},
        ],
        {"0": "first", "1": "norm", "4": "second", "6": "flat", "7": "out"}, [2, 6, 6, 2], _channels_first,
    ),
    (
        "cells", Cells,
        [
            {"type": "lstm", "units": 4, "bidirectional": True, "return_sequence": True, "name": "both"},
            {"type": "gru", "units": 3, "name": "last"},
        ],
        {}, [2, 5, 3], _same,
    ),
    (
        "tokens", Tokens,
        [
            {"type": "embedding", "units": 3, "vocabulary": 5, "name": "table"},
            {"type": "rnn", "units": 4, "activation": "relu", "return_sequence": True, "name": "cell"},
            {"type": "layer_norm", "name": "norm"},
        ],
        {}, [2, 4], _same,
    ),
    (
        "sequence", lambda: nn.Sequential(nn.Conv1d(2, 3, 3, groups=1), nn.Tanh(), nn.Flatten(), nn.Linear(12, 2)),
        [{"type": "conv1d", "filters": 3, "kernel": 3, "activation": "tanh"}, "flatten", {"type": "dense", "units": 2}],
        {"0": "conv1d1", "3": "dense1"}, [3, 6, 2], _channels_first,
    ),
]  # fmt: skip


def _of_torch() -> list[dict[str, Any]]:
    cases = []
    for name, make, layers, rename, shape, turn in TORCH:
        net = make().eval()
        for place, (key, array) in enumerate(net.state_dict().items()):
            if array.is_floating_point():
                values = wave(tuple(array.shape), place)
                array.copy_(torch.tensor(values**2 + 0.5 if key.endswith("running_var") else values))
        save_file(net.state_dict(), FOLDER / f"torch-{name}.safetensors")
        indices = layers[0]["type"] == "embedding"
        inputs = np.arange(np.prod(shape)).reshape(shape) % 5 if indices else wave(shape, 0.3)
        with torch.no_grad():
            outputs = net.double()(turn(torch.tensor(inputs)))
        cases.append(_case(f"torch-{name}.safetensors", layers, rename, inputs, outputs.numpy(), "torch"))
    return cases


# -- Keras -----------------------------------------------------------------------------------

L = keras.layers
KERAS: list[tuple[str, list[Any], list[Any], dict[str, str], list[int]]] = [
    (
        "dense", [L.Dense(4, activation="tanh"), L.Dense(4, activation="sigmoid")],
        [{"type": "dense", "units": 4, "activation": "tanh"}, {"type": "dense", "units": 4, "activation": "sigmoid"}],
        {"dense": "dense1", "dense_1": "dense2"}, [5, 3],
    ),
    (
        "convolution",
        [
            L.Conv2D(4, (3, 2), padding="same", name="first"), L.BatchNormalization(name="norm"), L.ReLU(),
            L.MaxPooling2D(2), L.Conv2DTranspose(3, 2, strides=2, name="second"), L.Flatten(), L.Dense(3, name="out"),
        ],
        [
            {"type": "conv2d", "filters": 4, "kernel": [3, 2], "padding": "same", "name": "first"},
            {"type": "batch_norm", "name": "norm"}, {"type": "activation", "activation": "relu"}, "max_pool",
            {"type": "conv_transpose2d", "filters": 3, "kernel": 2, "stride": 2, "name": "second"},
            "flatten", {"type": "dense", "units": 3, "name": "out"},
        ],
        {}, [2, 6, 6, 2],
    ),
    (
        "cells",
        [L.Bidirectional(L.LSTM(4, return_sequences=True), name="both"), L.GRU(3, name="last")],
        [
            {"type": "lstm", "units": 4, "bidirectional": True, "return_sequence": True, "name": "both"},
            {"type": "gru", "units": 3, "name": "last"},
        ],
        {}, [2, 5, 3],
    ),
    (
        "tokens",
        [
            L.Embedding(5, 3, name="table"), L.SimpleRNN(4, activation="relu", return_sequences=True, name="cell"),
            L.LayerNormalization(name="norm"), L.GRU(2, reset_after=False, name="before"),
        ],
        [
            {"type": "embedding", "units": 3, "vocabulary": 5, "name": "table"},
            {"type": "rnn", "units": 4, "activation": "relu", "return_sequence": True, "name": "cell"},
            {"type": "layer_norm", "name": "norm"}, {"type": "gru", "units": 2, "reset_after": False, "name": "before"},
        ],
        {}, [2, 4],
    ),
]  # fmt: skip


def _of_keras() -> list[dict[str, Any]]:
    cases = []
    keras.config.set_floatx("float64")
    for name, stack, layers, rename, shape in KERAS:
        net = keras.Sequential([keras.Input(shape[1:]), *stack])
        for place, weight in enumerate(net.weights):
            values = wave(weight.shape, place).astype(np.float32)
            weight.assign(values**2 + 0.5 if weight.path.endswith("moving_variance") else values)
        indices = isinstance(layers[0], dict) and layers[0]["type"] == "embedding"
        inputs = np.arange(np.prod(shape)).reshape(shape) % 5 if indices else wave(shape, 0.3)
        outputs = np.asarray(net(inputs).detach())
        for ending in {"cells": ("weights.h5", "keras", "h5"), "tokens": ()}.get(name, ("weights.h5",)):
            file = FOLDER / f"keras-{name}.{ending}"
            net.save_weights(file) if ending == "weights.h5" else net.save(file)
            cases.append(_case(file.name, layers, rename, inputs, outputs, "keras"))
        paths = {weight.path: np.asarray(weight.numpy(), np.float32) for weight in net.weights}
        safetensors.numpy.save_file(paths, FOLDER / f"keras-{name}.safetensors")
        begin = next(iter(paths)).partition("/")[0]
        longer = {f"{begin}.{key}": here for key, here in rename.items()}
        cases.append(_case(f"keras-{name}.safetensors", layers, longer, inputs, outputs, "keras"))
    return cases


def _case(file: str, layers: list[Any], rename: dict[str, str], inputs: Any, outputs: Any, convention: str) -> Any:
    return {
        "file": file, "convention": convention, "layers": layers, "rename": rename,
        "inputs": inputs.tolist(), "outputs": outputs.tolist(),
    }  # fmt: skip


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(each) for each in [*_of_torch(), *_of_keras()])
    (FOLDER / "cases.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
