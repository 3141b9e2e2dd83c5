"""The file tests/training/golden/torch.json, written: costs of nets that PyTorch trains, for tests to compare with.

PyTorch is no dependency; the file was made with 2.13.0 by `python scripts/golden_training.py`.

Each case is what a spec says of net, cost, optimizer and schedule, with the costs of some steps over the whole training
set in float64 and, last, the cost after them, in evaluation. Inputs and first parameters are waves (see `wave`), which
any reader can make again; a parameter's phase is its place in the net. Axes are ours: channels last, weights (in, out).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import lr_scheduler as rates

OUTPUT = Path(__file__).parents[1] / "tests" / "training" / "golden" / "torch.json"
STEPS, EXAMPLES, UNITS = 6, 8, 3
SHAPES = {"dense": (5,), "convolution": (6, 5, 2), "lstm": (4, 3), "gru": (4, 3)}
LABELS = [0, 1, 2, 2, 1, 0, 2, 1]


def wave(shape: Sequence[int], phase: float) -> Any:
    """Numbers between −1 and 1 that no two axes share."""
    return np.sin(np.arange(int(np.prod(shape))) * 0.7 + phase).reshape(shape)


class Net:
    """A net of one kind: its parameters by our names, and its outputs before the last activation.

    There is no bias in front of a normalization: its gradient is 0, and Adam and its kin step by what rounding leaves.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        out = {"dense": 4, "convolution": 3, "lstm": 4, "gru": 4}[kind]
        first = {
            "dense": {"dense1.weight": (5, 4)},
            "convolution": {"conv2d1.weight": (3, 2, 2, 3)},
            "lstm": {"lstm1.weight": (3, 16), "lstm1.recurrent_weight": (4, 16), "lstm1.bias": (16,)},
            "gru": {"gru1.weight": (3, 12), "gru1.recurrent_weight": (4, 12), "gru1.bias": (12,)},
        }[kind]
        recurrent = {f"{kind}1.recurrent_bias": (4 * out,) if kind == "lstm" else (3 * out,)}
        norm = {"batch_norm1.gamma": (out,), "batch_norm1.beta": (out,)}
        last = "dense2" if kind == "dense" else "dense1"
        shapes = {
            **first,
            **(recurrent if kind in ("lstm", "gru") else norm),
            f"{last}.weight": (out, UNITS),
            f"{last}.bias": (UNITS,),
        }
        self.last = last
        self.parameters = {
            name: torch.tensor(0.5 * wave(shape, place) + name.endswith("gamma"), requires_grad=True)
            for place, (name, shape) in enumerate(shapes.items())
        }
        self.running = [torch.zeros(out, dtype=torch.float64), torch.ones(out, dtype=torch.float64)]

    def __call__(self, x: Tensor, *, training: bool) -> Tensor:
        p = self.parameters
        if self.kind == "dense":
            h = torch.tanh(self._normalized(x @ p["dense1.weight"], training))
        elif self.kind == "convolution":
            kernel = p["conv2d1.weight"].permute(3, 2, 0, 1)
            z = functional.conv2d(x.permute(0, 3, 1, 2), kernel, padding=(1, 0), stride=(2, 1))
            z = functional.gelu(self._normalized(z.permute(0, 2, 3, 1), training)).permute(0, 3, 1, 2)
            pooled = functional.max_pool2d(z, 2, 1, ceil_mode=True)
            h = pooled.mean(dim=(2, 3))
        else:
            module = (torch.nn.LSTM if self.kind == "lstm" else torch.nn.GRU)(3, 4, batch_first=True).double()
            ours = ("weight", "recurrent_weight", "bias", "recurrent_bias")
            theirs = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
            given = {t: p[f"{self.kind}1.{o}"].movedim(0, -1).contiguous() for o, t in zip(ours, theirs, strict=True)}
            h = torch.func.functional_call(module, given, (x,))[0][:, -1]
        return h @ p[f"{self.last}.weight"] + p[f"{self.last}.bias"]

    def _normalized(self, z: Tensor, training: bool) -> Tensor:
        flat = z.reshape(-1, z.shape[-1])
        p = self.parameters
        found = functional.batch_norm(flat, *self.running, p["batch_norm1.gamma"], p["batch_norm1.beta"], training)
        return found.reshape(z.shape)


def layers(kind: str, activation: str) -> list[Any]:
    """The same net as a spec says it."""
    last = {"type": "dense", "units": UNITS, "activation": activation}
    if kind == "dense":
        return [
            {"type": "dense", "units": 4, "bias": False},
            "batch_norm",
            {"type": "activation", "activation": "tanh"},
            last,
        ]
    if kind == "convolution":
        return [
            {"type": "conv2d", "filters": 3, "kernel": [3, 2], "padding": [1, 0], "stride": [2, 1], "bias": False},
            "batch_norm",
            {"type": "activation", "activation": "gelu"},
            {"type": "max_pool", "size": 2, "stride": 1, "ceil_mode": True},
            "global_average_pool",
            last,
        ]
    return [{"type": kind, "units": 4}, last]


COSTS: dict[str, tuple[dict[str, Any], str, Callable[[Tensor, Tensor], Tensor]]] = {
    "likelihood": (
        {"type": "log_likelihood", "label_smoothing": 0.1, "class_weights": [0.5, 2.0, 1.0]},
        "softmax",
        lambda z, y: functional.cross_entropy(z, y, torch.tensor([0.5, 2.0, 1.0]).double(), label_smoothing=0.1),
    ),
    "huber": (
        {"type": "huber", "delta": 0.4},
        "linear",
        lambda z, y: functional.huber_loss(z, functional.one_hot(y, UNITS).double(), delta=0.4),
    ),
    "smooth": (
        {"type": "smooth_l1", "beta": 0.4},
        "linear",
        lambda z, y: functional.smooth_l1_loss(z, functional.one_hot(y, UNITS).double(), beta=0.4),
    ),
    "logits": (
        {"type": "cross_entropy"},
        "sigmoid",
        # Ours is summed over the units of an example.
        lambda z, y: UNITS * functional.binary_cross_entropy_with_logits(z, functional.one_hot(y, UNITS).double()),
    ),
}
OPTIMIZERS: dict[str, tuple[dict[str, Any], Callable[[Any], torch.optim.Optimizer]]] = {
    "sgd": (
        {"type": "sgd", "learning_rate": 0.3, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.05},
        lambda p: torch.optim.SGD(p, 0.3, momentum=0.9, dampening=0.2, weight_decay=0.05),
    ),
    "nesterov": (
        {"type": "nesterov", "learning_rate": 0.2, "momentum": 0.8, "weight_decay": 0.02},
        lambda p: torch.optim.SGD(p, 0.2, momentum=0.8, nesterov=True, weight_decay=0.02),
    ),
    "rmsprop": (
        {"type": "rmsprop", "learning_rate": 0.02, "centered": True, "momentum": 0.5, "rho": 0.9},
        lambda p: torch.optim.RMSprop(p, 0.02, alpha=0.9, centered=True, momentum=0.5),
    ),
    "adagrad": (
        {"type": "adagrad", "learning_rate": 0.1, "learning_rate_decay": 0.1, "weight_decay": 0.01},
        lambda p: torch.optim.Adagrad(p, 0.1, lr_decay=0.1, weight_decay=0.01),
    ),
    "adadelta": ({"type": "adadelta"}, torch.optim.Adadelta),
    "adam": (
        {"type": "adam", "learning_rate": 0.05, "beta2": 0.99, "weight_decay": 0.1},
        lambda p: torch.optim.Adam(p, 0.05, betas=(0.9, 0.99), weight_decay=0.1),
    ),
    "adamw": (
        {"type": "adamw", "learning_rate": 0.05, "weight_decay": 0.3},
        lambda p: torch.optim.AdamW(p, 0.05, weight_decay=0.3),
    ),
}
SCHEDULES: dict[str, tuple[dict[str, Any], Callable[[Any], rates.LRScheduler]]] = {
    "warmup": (
        {"type": "warmup", "duration": 2, "then": {"type": "exponential", "gamma": 0.5}},
        lambda o: rates.SequentialLR(o, [rates.LinearLR(o, 1 / 3, 1, 2), rates.ExponentialLR(o, 0.5)], [2]),
    ),
    "cosine": ({"type": "cosine", "duration": 6}, lambda o: rates.CosineAnnealingLR(o, 6)),
    "restarts": (
        {"type": "cosine_restarts", "period": 2, "multiplier": 2},
        lambda o: rates.CosineAnnealingWarmRestarts(o, 2, 2),
    ),
    "step": ({"type": "step", "every": 2, "factor": 0.3}, lambda o: rates.StepLR(o, 2, 0.3)),
    "polynomial": (
        {"type": "polynomial", "duration": 6, "power": 2.0},
        lambda o: rates.PolynomialLR(o, 6, 2.0),
    ),
    "one_cycle": (
        {"type": "one_cycle", "rise": 0.5},
        lambda o: rates.OneCycleLR(o, o.defaults["lr"], total_steps=STEPS, pct_start=0.5),
    ),
    "piecewise": (
        {"type": "piecewise", "boundaries": [2, 4], "values": [1, 0.5, 0.1]},
        lambda o: rates.LambdaLR(o, lambda t: [1, 0.5, 0.1][(t >= 2) + (t >= 4)]),
    ),
}
CLIPS: dict[str, Callable[[Any], Any]] = {
    "global_norm": lambda p: torch.nn.utils.clip_grad_norm_(p, 0.2),
    "norm": lambda p: [torch.nn.utils.clip_grad_norm_([each], 0.2) for each in p],
    "value": lambda p: torch.nn.utils.clip_grad_value_(p, 0.2),
}


def case(kind: str, cost: str, optimizer: str, schedule: str, clip: str | None) -> dict[str, Any]:
    """A case with PyTorch's costs."""
    (said_cost, activation, loss), (said, make), (said_rates, decay) = (
        COSTS[cost], OPTIMIZERS[optimizer], SCHEDULES[schedule]
    )  # fmt: skip
    net = Net(kind)
    x = torch.tensor(2.0 * wave((EXAMPLES, *SHAPES[kind]), 0.5))
    y = torch.tensor(LABELS)
    parameters = list(net.parameters.values())
    rule = make(parameters)
    rate = decay(rule)
    costs = []
    for _ in range(STEPS):
        rule.zero_grad()
        value = loss(net(x, training=True), y)
        torch.autograd.backward(value)
        if clip is not None:
            CLIPS[clip](parameters)
        rule.step()
        rate.step()
        costs.append(value.item())
    costs.append(loss(net(x, training=False), y).item())
    spec = {
        "layers": layers(kind, activation),
        "cost": said_cost,
        "optimizer": said | ({} if clip is None else {"clip": {"type": clip, "limit": 0.2}}),
        "schedule": {"epochs": STEPS, "batch_size": "full", "learning_rate": said_rates},
    }
    shapes = {name: list(parameter.shape) for name, parameter in net.parameters.items()}
    return {"spec": spec, "input": [EXAMPLES, *SHAPES[kind]], "parameters": shapes, "costs": costs}


def cases() -> list[dict[str, Any]]:
    """Each component at least twice, beside different others."""
    kinds, costs, clips = list(SHAPES), list(COSTS), [*CLIPS, None]
    found = []
    for place in range(28):
        optimizer, schedule = list(OPTIMIZERS)[place % 7], list(SCHEDULES)[(place + place // 7) % 7]
        if schedule == "one_cycle" and optimizer in ("adagrad", "adadelta"):
            schedule = "cosine"  # PyTorch's wants a momentum to move
        clip = clips[(place + place // 4) % 4]
        found.append(case(kinds[place % 4], costs[(place // 4 + place) % 4], optimizer, schedule, clip))
    return found


if __name__ == "__main__":
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps({"labels": LABELS, "cases": cases()}, indent=1) + "\n", encoding="utf-8")
