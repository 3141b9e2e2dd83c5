"""Pretraining: the layers that learn first, as restricted Boltzmann machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Annotated, Literal

from annotated_types import MinLen

from nnctl.components.base import Layer, MonitoredSchedule, Schedule
from nnctl.components.fields import Fraction, NonEmptyStr, NonNegativeFloat, PositiveFloat, PositiveInt
from nnctl.components.registry import Problem, components
from nnctl.components.schedules import Constant
from nnctl.late import dataclass


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """Dense sigmoid layers that learn first, one after the other, without targets, as restricted Boltzmann machines.

    Each learns what the one before answers (Hinton, Osindero and Teh 2006); together they
    are a deep belief net. Their weights and hidden biases are what training starts from.
    """

    layers: Annotated[
        Annotated[tuple[NonEmptyStr, ...], MinLen(1)], "dense sigmoid layers, each reading the one before"
    ]
    epochs: Annotated[PositiveInt, "passes over the training set, for each layer"] = 10
    batch_size: Annotated[PositiveInt, "examples an update; as many chains, if they are persistent"] = 20
    learning_rate: Annotated[PositiveFloat, "of every layer; gaussian units need 0.01 or less"] = 0.1
    schedule: Annotated[
        Schedule, "how the learning rate changes in the time of each layer; falling to 0 makes PCD's samples better"
    ] = field(default_factory=Constant)
    momentum: Annotated[Fraction, "share of the last update that the next one keeps"] = 0.5
    weight_decay: Annotated[NonNegativeFloat, "share of each weight that the learning rate takes off"] = 0.0001
    k: Annotated[PositiveInt, "Gibbs steps of the model's chains before an update, the k of CD-k"] = 1
    persistent: Annotated[bool, "whether the chains go on from update to update (PCD) or begin at the data (CD)"] = (
        False
    )
    visible: Annotated[
        Literal["bernoulli", "gaussian"], "the inputs: probabilities, or numbers of variance 1 (standardized)"
    ] = "bernoulli"
    unlabelled: Annotated[bool, "whether to learn from the training examples that data.subset leaves out, too"] = False


def pretraining_problems(
    config: Pretraining, layers: Sequence[Layer], names: Sequence[str], transferred: Sequence[str]
) -> list[Problem]:
    """Reasons why these layers cannot be pretrained. transferred: layers that start from another run."""
    problems: list[Problem] = []
    if isinstance(config.schedule, MonitoredSchedule):
        message = f"'{config.schedule.type}' answers to a metric, and pretraining measures none"
        problems.append(Problem("schedule", message, "choose one that is a function of time, for example polynomial"))
    last = -1
    for number, name in enumerate(config.layers):
        if name not in names:
            continue  # Said by whoever knows what names are alike.
        place, index = f"layers.{number}", names.index(name)
        if index <= last:
            after = f"'{name}' does not come after '{names[last]}'"
            problems.append(Problem(place, after, "name each layer once, in the order of the net"))
            break
        if unfit := layers[index].unfit_for_pretraining(name):
            problems.append(Problem(place, *unfit))
        if name in transferred:
            message = f"'{name}' starts from another run, and pretraining would undo that"
            problems.append(Problem(place, message, "leave it out here, or out of from.layers"))
        if detached := _detached(layers, names, last, index):
            problems.append(Problem(place, *detached))
        last = index
    return problems


def _detached(layers: Sequence[Layer], names: Sequence[str], last: int, index: int) -> tuple[str, str] | None:
    """Reason why a layer does not read the pretrained one at `last`, or the inputs where that is −1, and the fix."""
    before = f"'{names[last]}'" if last >= 0 else "the inputs"
    for between in range(last + 1, index):
        if not layers[between].transparent:
            between_them = ", ".join(name for name, layer in components("layer").items() if layer.transparent)
            return (
                f"'{names[between]}' stands between {before} and '{names[index]}'",
                f"before a pretrained layer there may be the one pretrained before it, and {between_them}",
            )
    for position in range(last + 1, index + 1):
        source = names[position - 1] if position else "input"
        if layers[position].inputs not in (None, (source,)):
            return (
                f"'{names[position]}' does not read '{source}' alone",
                "pretrained layers are one stack on the inputs",
            )
    return None
