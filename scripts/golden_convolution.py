"""The file tests/ops/golden/convolution.json, written: PyTorch's results for small inputs, for tests to compare with.

PyTorch is no dependency; the file was made with 2.13.0 by `python scripts/golden_convolution.py`.

Each case holds a layer as a spec would say it, the shape of its input, and of one call in float64 the
output and the gradients of Σ r∘output by input, weight and bias. Input, weight, bias and r are waves
(see `wave`), which any reader can make again; axes are ours: (batch, *spatial, channels) for
activations, (*kernel, in, out) for weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

OUTPUT = Path(__file__).parents[1] / "tests" / "ops" / "golden" / "convolution.json"

IMAGE, SEQUENCE = [1, 5, 4, 4], [2, 6, 2]

CASES: list[tuple[dict[str, Any], list[int]]] = [
    ({"type": "conv2d", "filters": 3, "kernel": 3}, IMAGE),
    ({"type": "conv2d", "filters": 2, "kernel": [2, 3], "stride": [2, 1], "padding": [1, 0]}, IMAGE),
    ({"type": "conv2d", "filters": 2, "kernel": [3, 2], "padding": "same"}, IMAGE),
    ({"type": "conv2d", "filters": 2, "kernel": 2, "dilation": [2, 3], "padding": 2}, IMAGE),
    ({"type": "conv2d", "filters": 4, "kernel": 3, "groups": 2, "stride": 2, "padding": 1}, IMAGE),
    ({"type": "conv2d", "filters": 4, "kernel": 3, "groups": 4}, IMAGE),
    ({"type": "conv1d", "filters": 3, "kernel": 3, "stride": 2, "padding": 2}, SEQUENCE),
    ({"type": "conv1d", "filters": 4, "kernel": 2, "dilation": 2, "groups": 2, "padding": "same"}, SEQUENCE),
    ({"type": "conv_transpose2d", "filters": 2, "kernel": 3}, [1, 3, 2, 4]),
    ({"type": "conv_transpose2d", "filters": 2, "kernel": [3, 2], "stride": [2, 3], "padding": [1, 0]}, [1, 3, 2, 4]),
    (
        {
            "type": "conv_transpose2d", "filters": 4, "kernel": 3, "stride": 2, "padding": 1,
            "output_padding": 1, "groups": 2,
        },
        [1, 3, 2, 4],
    ),
    ({"type": "conv_transpose1d", "filters": 3, "kernel": 3, "dilation": 2, "stride": 2}, [2, 3, 2]),
    ({"type": "max_pool", "size": 2}, IMAGE),
    ({"type": "max_pool", "size": 3, "stride": [1, 2], "padding": 1}, IMAGE),
    ({"type": "max_pool", "size": 3, "stride": 2}, SEQUENCE),
    ({"type": "average_pool", "size": [2, 3], "stride": 1, "padding": 1}, IMAGE),
    ({"type": "average_pool", "size": 3, "stride": 2, "padding": 1, "count_padding": False}, IMAGE),
    ({"type": "average_pool", "size": 2}, SEQUENCE),
    ({"type": "l2_pool", "size": 2}, IMAGE),
    ({"type": "l2_pool", "size": [3, 2], "stride": [1, 2]}, IMAGE),
    ({"type": "global_average_pool"}, IMAGE),
    ({"type": "global_max_pool"}, IMAGE),
    ({"type": "upsample", "factor": [2, 3]}, [1, 2, 3, 2]),
    ({"type": "upsample", "factor": [2, 3], "interpolation": "bilinear"}, [1, 3, 2, 2]),
    ({"type": "upsample", "factor": 4, "interpolation": "bilinear"}, [1, 3, 2]),
    ({"type": "batch_norm"}, [2, 3, 2, 2]),
    ({"type": "batch_norm", "momentum": 0.3, "epsilon": 0.01}, [5, 3]),
    ({"type": "layer_norm"}, [2, 3, 4]),
    ({"type": "layer_norm", "axes": [-2, -1]}, [2, 3, 4]),
]  # fmt: skip


def wave(shape: tuple[int, ...], phase: float) -> np.ndarray:
    """sin(1.7·i + phase) of the i-th element: no two are equal, and none comes from a generator."""
    return np.sin(1.7 * np.arange(np.prod(shape)) + phase).reshape(shape)


def pair(value: Any, rank: int) -> list[int]:
    """A field for each spatial axis."""
    return list(value) if isinstance(value, list) else [value] * rank


def channels_first(x: torch.Tensor) -> torch.Tensor:
    """An activation of ours in PyTorch's layout."""
    return torch.movedim(x, -1, 1)


def convolve(layer: dict[str, Any], x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """A convolution or its transpose."""
    rank = x.ndim - 2
    options: dict[str, Any] = {
        "stride": pair(layer.get("stride", 1), rank),
        "dilation": pair(layer.get("dilation", 1), rank),
        "groups": layer.get("groups", 1),
    }
    padding = layer.get("padding", 0)
    options["padding"] = padding if isinstance(padding, str) else pair(padding, rank)
    # (*kernel, in, out) → (out, in, *kernel); the transpose's first axis is what it reads, as ours is last.
    theirs = torch.movedim(weight, (-1, -2), (0, 1))
    if "transpose" in layer["type"]:
        options["output_padding"] = pair(layer.get("output_padding", 0), rank)
        function: Callable[..., torch.Tensor] = (functional.conv_transpose1d, functional.conv_transpose2d)[rank - 1]
    else:
        function = (functional.conv1d, functional.conv2d)[rank - 1]
    return function(x, theirs, bias, **options)


def weight_shape(layer: dict[str, Any], channels: int, rank: int) -> tuple[int, ...]:
    """The shape of our weight."""
    kernel = pair(layer["kernel"], rank)
    groups, filters = layer.get("groups", 1), layer["filters"]
    if "transpose" in layer["type"]:
        return (*kernel, filters // groups, channels)
    return (*kernel, channels // groups, filters)


def pool(layer: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
    """A layer without parameters."""
    rank = x.ndim - 2
    kind = layer["type"]
    if kind == "upsample":
        mode = "nearest" if layer.get("interpolation", "nearest") == "nearest" else ("linear", "bilinear")[rank - 1]
        factors = [float(f) for f in pair(layer["factor"], rank)]
        return functional.interpolate(
            x, scale_factor=factors, mode=mode, align_corners=None if mode == "nearest" else False
        )
    if kind.startswith("global"):
        axes = tuple(range(2, x.ndim))
        return torch.mean(x, axes) if kind == "global_average_pool" else torch.amax(x, axes)
    size = pair(layer["size"], rank)
    stride = pair(layer.get("stride", size), rank)
    padding = pair(layer.get("padding", 0), rank)
    if kind == "max_pool":
        return (functional.max_pool1d, functional.max_pool2d)[rank - 1](x, size, stride, padding)
    if kind == "l2_pool":
        return functional.lp_pool2d(x, 2.0, size, stride)
    if rank == 1:
        return functional.avg_pool1d(x, size, stride, padding)
    return functional.avg_pool2d(x, size, stride, padding, count_include_pad=layer.get("count_padding", True))


def run(layer: dict[str, Any], shape: list[int]) -> dict[str, Any]:
    """The object of one case."""
    tensors: dict[str, torch.Tensor] = {"input": torch.tensor(wave(tuple(shape), 0.3), requires_grad=True)}
    known: dict[str, Any] = {}
    x = channels_first(tensors["input"])
    if layer["type"].startswith("conv"):
        outputs = layer["filters"]
        shapes = {"weight": weight_shape(layer, shape[-1], len(shape) - 2), "bias": (outputs,)}
    elif layer["type"] == "batch_norm":
        shapes = {"gamma": (shape[-1],), "beta": (shape[-1],)}
    elif layer["type"] == "layer_norm":
        normalized = tuple(shape[axis] for axis in layer.get("axes", [-1]))
        shapes = {"gamma": normalized, "beta": normalized}
    else:
        shapes = {}
    for number, (name, size) in enumerate(shapes.items()):
        tensors[name] = torch.tensor(wave(size, 1.0 + number), requires_grad=True)
    if "weight" in shapes:
        y = torch.movedim(convolve(layer, x, tensors["weight"], tensors["bias"]), 1, -1)
    elif layer["type"] == "batch_norm":
        mean, variance = torch.zeros(shape[-1]).double(), torch.ones(shape[-1]).double()
        momentum, epsilon = layer.get("momentum", 0.1), layer.get("epsilon", 1e-5)
        y = functional.batch_norm(x, mean, variance, tensors["gamma"], tensors["beta"], True, momentum, epsilon)
        y = torch.movedim(y, 1, -1)
        known = {"running_mean": mean.tolist(), "running_variance": variance.tolist()}
    elif layer["type"] == "layer_norm":
        gamma, beta = tensors["gamma"], tensors["beta"]
        y = functional.layer_norm(tensors["input"], tuple(gamma.shape), gamma, beta)
    else:
        y = torch.movedim(pool(layer, x), 1, -1)
    r = torch.tensor(wave(tuple(y.shape), 2.0))
    gradients = torch.autograd.grad(torch.sum(r * y), list(tensors.values()))
    return {
        "layer": layer,
        "shape": shape,
        "output_shape": list(y.shape),
        "output": rounded(y),
        "gradients": {name: rounded(g) for name, g in zip(tensors, gradients)},
        **known,
    }


def rounded(x: torch.Tensor) -> list[float]:
    """Numbers in C order, to eight digits."""
    return [float(f"{v:.8g}") for v in x.detach().flatten().tolist()]


def main() -> None:
    """Write every case, one a line."""
    cases = [run(layer, shape) for layer, shape in CASES]
    lines = ",\n".join(json.dumps(case) for case in cases)
    OUTPUT.write_text(f'{{"torch": "{torch.__version__.split("+")[0]}", "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
