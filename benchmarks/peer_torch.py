"""PyTorch: as people write it, and in the forms that its documentation recommends for speed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.data import Text
from benchmarks.nets import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool,
    Recurrent,
    Shape,
    placed,
)
from benchmarks.trainer import DeviceTrainer, Trainer
from benchmarks.workloads import Workload, orders


def torch_eager(workload: Workload, threads: int) -> Trainer:
    """The plain form."""
    return _torch(workload, threads)


def torch_channels_last(workload: Workload, threads: int) -> Trainer:
    """The plain form with images and kernels in the layout that its convolutions are fastest in."""
    return _torch(workload, threads, channels_last=True)


def torch_compile(workload: Workload, threads: int) -> Trainer:
    """`torch.compile` around forward and cost, images in the fastest layout.

    It leaves recurrent layers to the library's scan: with `allow_rnn` PyTorch 2.13 fails on an LSTM.
    """
    return _torch(workload, threads, channels_last=workload.kind == "convolutional", compiled=True)


class _States(nn.Module):
    """The states of a recurrent layer at every step, without the last one again."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]


def open_device() -> None:
    """Begin with a GPU what takes a moment: its context."""
    torch.zeros(1, device="cuda")


def torch_eager_on_device(workload: Workload, precision: str) -> DeviceTrainer:
    """The plain form on a GPU."""
    return _timed(workload, _on_device(workload, precision).step)


def torch_graph_on_device(workload: Workload, precision: str) -> DeviceTrainer:
    """The whole step in one CUDA graph, images in the layout that convolutions are fastest in."""
    return _captured(workload, _on_device(workload, precision, fast=True))


def torch_compile_on_device(workload: Workload, precision: str) -> DeviceTrainer:
    """The same with forward and backward pass by `torch.compile`.

    `mode="reduce-overhead"` would capture them in graphs as well, but neither the batch's choice nor the update, and
    copy what they read.
    """
    return _captured(workload, _on_device(workload, precision, fast=True, compiled=True))


def _on_device(workload: Workload, precision: str, *, fast: bool = False, compiled: bool = False) -> _Net:
    """The net on a GPU, its products in `precision`."""
    tensor_cores = precision != "float32"
    torch.backends.cuda.matmul.allow_tf32 = tensor_cores
    torch.backends.cudnn.allow_tf32 = tensor_cores
    torch.backends.cudnn.benchmark = True
    return _Net(workload, device="cuda", channels_last=fast and workload.kind == "convolutional", compiled=compiled)


def _torch(workload: Workload, threads: int, *, channels_last: bool = False, compiled: bool = False) -> Trainer:
    torch.set_num_threads(threads)
    return _Net(workload, channels_last=channels_last, compiled=compiled).trainer()


class _Net:
    """A net with its optimizer and its data on a device."""

    def __init__(
        self, workload: Workload, *, device: str = "cpu", channels_last: bool = False, compiled: bool = False
    ) -> None:
        self.workload, self.device = workload, device
        net = _module(workload).to(device)
        self.net = net.to(memory_format=torch.channels_last) if channels_last else net
        rule = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[workload.optimizer]
        # One call for all parameters; without it small steps spend their time in Python.
        options = {"capturable": True} if device == "cuda" and workload.optimizer == "adam" else {}
        self.optimizer = rule(self.net.parameters(), lr=workload.learning_rate, fused=True, **options)
        self.batch = _batches(workload, device, channels_last=channels_last)
        cost_function = nn.CrossEntropyLoss()

        def cost_of(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return cost_function(self.net(x), y)

        self.cost_of = torch.compile(cost_of) if compiled else cost_of

    def step(self, rows: torch.Tensor) -> torch.Tensor:
        """A training step; the cost before it."""
        self.optimizer.zero_grad(set_to_none=True)
        cost = self.cost_of(*self.batch(rows))
        cost.backward()
        self.optimizer.step()
        return cost

    def trainer(self) -> Trainer:
        def run(steps: int) -> None:
            for rows in torch.from_numpy(orders(self.workload, steps)):
                self.step(rows)

        return Trainer(lambda rows: self.step(torch.from_numpy(rows)).item(), run)


def _timed(workload: Workload, step: Callable[[torch.Tensor], torch.Tensor]) -> DeviceTrainer:
    """A trainer on a GPU by its step, of rows that lie there and giving the cost."""

    # What is drawn on the host is no part of a step.
    drawn = lru_cache(maxsize=1)(partial(orders, workload))

    def seconds(steps: int) -> float:
        order = torch.from_numpy(drawn(steps)).to("cuda")
        first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        first.record()
        for rows in order:
            step(rows)
        last.record()
        last.synchronize()
        return first.elapsed_time(last) / 1e3

    def costs(order: NDArray[np.int64]) -> list[float]:
        return [step(rows).item() for rows in torch.from_numpy(order).to("cuda")]

    return DeviceTrainer(costs, seconds)


def _captured(workload: Workload, net: _Net) -> DeviceTrainer:
    """The whole step, gather to update, replayed from one graph.

    A graph knows addresses: what it reads must be held as long as it is replayed, or its memory is given to others.
    """
    rows = torch.zeros(workload.batch, dtype=torch.int64, device=net.device)
    first = {name: value.clone() for name, value in net.net.state_dict().items()}
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            net.step(rows)
    torch.cuda.current_stream().wait_stream(side)
    # What warming up has learned is forgotten, where it lies.
    with torch.no_grad():
        for name, value in net.net.state_dict().items():
            value.copy_(first[name])
        for state in net.optimizer.state.values():
            for value in state.values():
                value.zero_()
    graph = torch.cuda.CUDAGraph()
    net.optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        cost = net.step(rows)
    return _timed(workload, _Replayed(net, graph, rows, cost))


@dataclass(frozen=True)
class _Replayed:
    """A captured step with all that it reads and writes. rows: by which it gathers; cost: what it leaves."""

    net: _Net
    graph: torch.cuda.CUDAGraph
    rows: torch.Tensor
    cost: torch.Tensor

    def __call__(self, order: torch.Tensor) -> torch.Tensor:
        self.rows.copy_(order)
        self.graph.replay()
        return self.cost


def _batches(workload: Workload, device: str, *, channels_last: bool) -> Any:
    """rows → (x, y) of a batch."""
    data = workload.data
    if isinstance(data, Text):
        characters, following = (torch.from_numpy(a).to(device) for a in data.arrays())
        ones = torch.eye(data.vocabulary, device=device)

        # (time, batch, vocabulary), as the recurrent layers scan.
        def text(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return ones[characters[rows].T], following[rows].T.flatten()

        return text
    images, targets = data.floats()
    y = torch.from_numpy(targets).to(device)
    x = torch.from_numpy(images).to(device)
    if workload.kind == "dense":
        x = x.flatten(1)
    elif not channels_last:
        x = x.permute(0, 3, 1, 2).contiguous()

    def pictures(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = x[rows]
        return chosen.permute(0, 3, 1, 2) if channels_last else chosen, y[rows]

    return pictures


def _module(workload: Workload) -> nn.Sequential:
    """The net with the weights that everyone begins with."""
    weights = workload.weights()
    parts: list[nn.Module] = []
    flattened: Shape | None = None
    for name, layer, shape in placed(workload.net, workload.data.shape):
        own = {key.partition(".")[2]: array for key, array in weights.items() if key.startswith(f"{name}.")}
        if isinstance(layer, Flatten):
            flattened = shape
        elif flattened and isinstance(layer, Dense):
            # Channels come first here, and then in the flattened rows.
            if workload.kind == "convolutional":
                own["weight"] = own["weight"].reshape(*flattened, -1).transpose(2, 0, 1, 3).reshape(-1, layer.units)
            flattened = None
        parts += _modules(layer, shape, own)
    if workload.kind == "recurrent":
        parts.append(nn.Flatten(0, 1))
    return nn.Sequential(*parts)


def _modules(layer: Layer, shape: Shape, own: dict[str, NDArray[np.float32]]) -> list[nn.Module]:
    match layer:
        case Activation(function):
            return [{"relu": nn.ReLU, "sigmoid": nn.Sigmoid}[function]()]
        case Flatten():
            return [nn.Flatten()]
        case MaxPool():
            return [nn.MaxPool2d(2)]
        case GlobalAveragePool():
            return [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        case Dense(units):
            return [_filled(nn.Linear(shape[-1], units), weight=own["weight"].T, bias=own["bias"])]
        case Conv(filters, kernel, padding, bias):
            module = nn.Conv2d(shape[-1], filters, kernel, padding=padding, bias=bias)
            values = {"bias": own["bias"]} if bias else {}
            return [_filled(module, weight=own["weight"].transpose(3, 2, 0, 1), **values)]
        case BatchNorm():
            return [_filled(nn.BatchNorm2d(shape[-1]), weight=own["gamma"], bias=own["beta"])]
        case Recurrent(cell, units):
            recurrent = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell](shape[-1], units)
            values = {"weight_ih_l0": own["weight"].T, "weight_hh_l0": own["recurrent_weight"].T,
                      "bias_ih_l0": own["bias"], "bias_hh_l0": own["recurrent_bias"]}  # fmt: skip
            return [_States(_filled(recurrent, **values))]
    raise TypeError(f"no module for {layer}")


def _filled(module: Any, **values: NDArray[np.float32]) -> Any:
    """The module with these parameters."""
    with torch.no_grad():
        for name, value in values.items():
            getattr(module, name).copy_(torch.from_numpy(np.ascontiguousarray(value)))
    return module
