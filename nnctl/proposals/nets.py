"""Nets and their training, sized by how many examples there are and what one of them is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nnctl.data.splits import size_of
from nnctl.data.words import cut
from nnctl.proposals.proposal import Answer
from nnctl.spec.noted import Noted

LEAST_EXAMPLES = 10
"""Fewer examples than these leave nothing to hold out."""
LEAST_OF_A_CLASS = 3
"""Examples that a class has at the least, and on the average where whole numbers are taken for classes."""
_SHARES = ((1_000, 0.2), (10_000, 0.15), (100_000, 0.1))
_MOST_HELD_OUT = 10_000
_FEW_EXAMPLES = 1_000
_HIDDEN = ((_FEW_EXAMPLES, (64,)), (10_000, (64, 32)), (100_000, (128, 64)))
_WIDEST_HIDDEN = (256, 128)
_STEPS = 10_000
"""Steps that a training is given at least, of small data, where validation ends it."""
_STEPS_WITHOUT = 1_000
"""Steps of a training that nothing ends before."""
_SMALLEST_MAP = 4
"""Pixels of a side at which pooling ends."""


def too_few(sizes: Mapping[str, int], example: str) -> list[str]:
    """Sentences on the first classes that have too few examples, by name. example: what one is called."""
    return [
        f"class {cut(name)!r} has {size} {example}{'s' * (size != 1)}: too few to learn it and to measure it"
        for name, size in sorted(sizes.items())
        if size < LEAST_OF_A_CLASS
    ][:3]


def share_of(examples: int) -> float | int:
    """The share of examples that is held out for a split, or their number."""
    return next((share for bound, share in _SHARES if examples < bound), _MOST_HELD_OUT)


def shares(examples: int, *, test: bool = True) -> dict[str, object]:
    """The fields that hold examples out, for validation and, where there is no such set, for the test."""
    share = share_of(examples)
    why = f"by {examples:,} examples: the more, the smaller the share that measures well"
    fields: dict[str, object] = {"validation": Noted(share, why)}
    return fields | ({"test": share} if test else {})


def training_examples(examples: int, *, test: bool = True) -> int:
    """The number of examples that `shares` leave for training."""
    return examples - (1 + test) * size_of(share_of(examples), examples)


def dense(examples: int, inputs: int, answer: Answer) -> list[object]:
    """Layers for inputs that are one row of numbers."""
    hidden = list(next((units for bound, units in _HIDDEN if examples < bound), _WIDEST_HIDDEN))
    while hidden[0] < min(inputs / 4, 512):
        hidden[0] *= 2
    why = f"by {examples:,} examples" + (f" of {inputs:,} inputs" if inputs else "")
    layers: list[object] = [{"type": "dense", "units": units, "activation": "relu"} for units in hidden]
    return [Noted(layers[0], why), *layers[1:], last(answer)]


def convolutional(examples: int, shape: tuple[int, ...], answer: Answer) -> list[object]:
    """Layers for images (height, width, channels): convolutions, halved until a side has four to eight pixels."""
    halvings = max(0, min(4, int(math.log2(max(1, min(shape[:2]) / _SMALLEST_MAP)))))
    first = 8 if examples < 500 else 16 if examples < 10_000 else 32
    layers: list[object] = []
    for block in range(max(1, halvings)):
        layers.append({"type": "conv2d", "filters": first << block, "kernel": 3, "padding": "same",
                       "activation": "relu"})  # fmt: skip
        if block < halvings:
            layers.append({"type": "max_pool", "size": 2})
    times = "once" if halvings == 1 else f"{halvings} times"
    why = f"images of {'×'.join(map(str, shape))}, halved {times}; filters by {examples:,} examples"
    hidden = 32 if examples < 500 else 64 if examples < 10_000 else 128
    return [Noted(layers[0], why), *layers[1:], "flatten", {"type": "dense", "units": hidden, "activation": "relu"},
            {"type": "dropout", "rate": 0.25}, last(answer)]  # fmt: skip


def recurrent(examples: int, shape: tuple[int, ...], answer: Answer) -> list[object]:
    """Layers for sequences (time, features)."""
    units = 32 if examples < 1_000 else 64 if examples < 10_000 else 128
    cell: dict[str, object] = {"type": "lstm", "units": units}
    if answer.every_step:
        cell["return_sequence"] = True
    return [Noted(cell, f"sequences of {shape[0]:,} steps; units by {examples:,} examples"), last(answer)]


def last(answer: Answer) -> dict[str, object]:
    """The layer that answers."""
    layer: dict[str, object] = {"type": "dense", "units": answer.units}
    return layer if answer.sizes is None else layer | {"activation": "softmax"}


def objective(answer: Answer) -> dict[str, object]:
    """The cost and the metrics."""
    if answer.sizes is None:
        return {"cost": "mse", "metrics": ["r2", "mae"]}
    metrics: object = ["roc_auc"] if answer.units == 2 else []
    if answer.is_uneven:
        share = 100 * max(answer.sizes) / sum(answer.sizes)
        why = f"always the same answer is right {share:.3g} % of the time; data.weights: balanced counts classes alike"
        metrics = Noted(["balanced_accuracy", "roc_auc"], why)
    return {"cost": "log_likelihood"} | ({"metrics": metrics} if metrics else {})


def training(examples: int, *, learning_rate: float = 0.003, most_epochs: int = 200) -> dict[str, object]:
    """The optimizer and the schedule. examples: that train."""
    batch = _power_of_two(examples / 40, 8, 256)
    steps = math.ceil(examples / batch)
    epochs = max(20, min(most_epochs, math.ceil(_STEPS / steps / 10) * 10))
    patience = max(5, epochs // 10)
    return {
        "optimizer": {"type": "adam", "learning_rate": learning_rate},
        "schedule": {
            "epochs": Noted(epochs, "at most: it ends earlier where validation no longer improves"),
            "batch_size": batch,
            "early_stopping": {"patience": patience},
        },
    }


def of_few_classes(examples: int, answer: Answer) -> tuple[dict[str, object], dict[str, object]] | None:
    """(the fields that hold examples out, optimizer and schedule) where every example is worth more in training.

    Of few examples of classes a validation split costs more than it tells; amounts have noise of their own that a net
    would learn by heart, and validation says when to stop. None where there are many, or amounts.
    """
    if answer.sizes is None or examples >= _FEW_EXAMPLES:
        return None
    share = share_of(examples)
    train = examples - size_of(share, examples)
    why = f"{_STEPS_WITHOUT:,} steps: with {examples:,} rows all but the test's train; nnctl sweep --folds 5 validates"
    schedule = {"epochs": Noted(math.ceil(_STEPS_WITHOUT / math.ceil(train / 32)), why), "batch_size": 32}
    optimizer = {"type": "adam", "learning_rate": 0.001}
    return {"test": share}, {"optimizer": optimizer, "schedule": schedule}


def whole(data: Mapping[str, object], layers: list[object], answer: Answer, rest: Mapping[str, Any]) -> dict[str, Any]:
    """A whole spec: its data, its net, what training makes small, and how (`training`)."""
    return {"data": data, "layers": layers, **objective(answer), **rest}


def _power_of_two(number: float, low: int, high: int) -> int:
    return max(low, min(high, 1 << max(0, round(math.log2(max(number, 1))))))
