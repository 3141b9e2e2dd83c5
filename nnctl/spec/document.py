"""The root of a spec: what one YAML file says, resolved."""

from __future__ import annotations

from dataclasses import field, fields, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen

from nnctl.components.backends import Auto
from nnctl.components.base import (
    BackendComponent,
    Cost,
    DataSource,
    Distribution,
    Initializer,
    Layer,
    Metric,
    Optimizer,
    Pruner,
    Regularizer,
    Sampler,
    Schedule,
)
from nnctl.components.fields import Convention, NonEmptyStr, NonNegativeFloat, NonNegativeInt, Period, PositiveInt
from nnctl.components.optimizers.first_order import Sgd
from nnctl.components.pretraining import Pretraining
from nnctl.components.registry import Component
from nnctl.components.samplers import Random
from nnctl.components.schedules import Constant
from nnctl.late import dataclass


@dataclass(frozen=True, kw_only=True)
class EarlyStopping:
    """Stop when the monitored number has not improved in `patience` evaluations."""

    monitor: Annotated[NonEmptyStr, "a column of the metrics, e.g. validation_accuracy"] = "validation_cost"
    patience: Annotated[PositiveInt, "evaluations without improvement before stopping"] = 10
    min_delta: Annotated[NonNegativeFloat, "the least change that counts as improvement"] = 0.0
    restore_best: Annotated[bool, "end with the best weights instead of the last"] = True


@dataclass(frozen=True, kw_only=True)
class TrainingSchedule:
    """The length of training, its batches and learning rate, and the evaluations on its way."""

    epochs: Annotated[PositiveInt, "passes over the training set"] = 10
    batch_size: Annotated[PositiveInt | Literal["full"], "examples a step; 1 is online, full is the whole set"] = 32
    learning_rate: Annotated[Schedule, "how the optimizer's learning rate changes in time"] = field(
        default_factory=Constant
    )
    early_stopping: Annotated[EarlyStopping | None, "when to stop before the last epoch"] = None
    evaluate_every: Annotated[
        PositiveInt | Period | None,
        "training examples between evaluations, or epochs or steps where the unit is named; an epoch if absent",
    ] = None
    evaluate_on: Annotated[
        PositiveInt | None,
        "validate on this many examples, drawn once, or the first of a contiguous text; on all if absent",
    ] = None
    shuffle: Annotated[bool, "a new order of the examples each epoch"] = True


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Records of a run on its layers: norms of weights and gradients, activations, saturated and dead units."""

    examples: Annotated[
        PositiveInt, "measure on this many training examples, drawn once, or the first of a contiguous text"
    ] = 256
    every: Annotated[PositiveInt, "evaluations from one measurement to the next; the first is before any step"] = 1


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The search of `nnctl sweep`: every grid combination, with every point of the space, with every seed."""

    grid: Annotated[
        dict[str, Annotated[tuple[object, ...], MinLen(1)]], "path: [values]; every combination is tried"
    ] = field(default_factory=dict)
    space: Annotated[dict[str, Distribution], "path: distribution; `trials` points of all together"] = field(
        default_factory=dict
    )
    only: Annotated[
        dict[str, NonEmptyStr], "path: condition; a path of the space, or a part of the spec, that is there only if"
    ] = field(default_factory=dict)
    derived: Annotated[dict[str, NonEmptyStr], "path: expression; a value that follows from others"] = field(
        default_factory=dict
    )
    sampler: Annotated[Sampler, "what proposes points of the space"] = field(default_factory=Random)
    trials: Annotated[PositiveInt | None, "how many points of the space"] = None
    lag: Annotated[
        NonNegativeInt, "trials before its own that a proposal does not wait for; lag + 1 run at a time at most"
    ] = 4
    pruner: Annotated[Pruner | None, "what ends trials early; nothing if absent"] = None
    seeds: Annotated[PositiveInt, "runs of each combination, with the spec's seed and those that follow it"] = 1
    folds: Annotated[
        Annotated[int, Ge(2)] | None, "K: cross-validation, K runs of each combination and seed, each with its own part"
    ] = None
    monitor: Annotated[
        NonEmptyStr | Annotated[tuple[NonEmptyStr, ...], MinLen(1)] | None,
        "the column that ranks trials, or several; what the runs monitor if absent",
    ] = None
    constraints: Annotated[
        tuple[NonEmptyStr, ...], "comparisons of columns, as 'parameters <= 10000', that a trial has to meet"
    ] = ()
    together: Annotated[
        PositiveInt | None,
        "N: of the trials at a time on this machine, those that one process trains; if absent as many as do best",
    ] = None
    ensemble: Annotated[
        Annotated[int, Ge(2)] | None,
        "N: at the end judge the N best trials together, by vote and by mean, on the test split or else on validation",
    ] = None

    @property
    def objectives(self) -> tuple[str, ...]:
        """The columns that rank; empty where it is what the runs monitor."""
        if self.monitor is None:
            return ()
        return (self.monitor,) if isinstance(self.monitor, str) else self.monitor


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Start from the weights of another run, or of a file. They are read once; later changes of it change nothing."""

    run: Annotated[
        NonEmptyStr | None, "its folder; of numbered runs the latest, of a sweep the best trial; relative to the spec"
    ] = None
    checkpoint: Annotated[
        Literal["best", "last"] | None, "which of its weights; those that it ended with if absent"
    ] = None
    file: Annotated[
        NonEmptyStr | None, "in place of a run: .safetensors, or Keras's .weights.h5 or .keras; relative to the spec"
    ] = None
    rename: Annotated[
        dict[str, NonEmptyStr], "names of the file, or beginnings of them, and what they are called here"
    ] = field(default_factory=dict)
    layout: Annotated[
        Literal["torch", "keras", "nnctl"] | None, "whose shapes and order the file has; recognized if absent"
    ] = None
    layers: Annotated[
        Annotated[tuple[NonEmptyStr, ...], MinLen(1)] | None, "the layers that start from it; all if absent"
    ] = None


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A whole spec, every default filled in."""

    nnctl: Annotated[Literal[1], "version of the spec language"] = 1
    name: Annotated[NonEmptyStr | None, "of the run's folder; the file's name if absent"] = None
    description: Annotated[str, "for people"] = ""
    seed: Annotated[NonNegativeInt, "of initial weights, shuffles, splits and dropout"] = 0
    convention: Annotated[Convention, "whose rule holds where libraries differ"] = "torch"
    data: Annotated[DataSource, "where examples come from"]
    layers: Annotated[tuple[Layer, ...], MinLen(1), "the net, from input to output"]
    from_: Annotated[Transfer | None, "another run, or a file, whose weights this one starts from"] = None
    pretraining: Annotated[Pretraining | None, "layers that learn first, without targets"] = None
    cost: Annotated[Cost, "what training makes small"]
    initializer: Annotated[Initializer | None, "of every weight; by convention if absent"] = None
    bias_initializer: Annotated[Initializer | None, "of every bias; by convention if absent"] = None
    regularizer: Annotated[Regularizer | None, "on every weight"] = None
    optimizer: Annotated[Optimizer, "the update rule"] = field(default_factory=Sgd)
    schedule: Annotated[TrainingSchedule, "how long and how often"] = field(default_factory=TrainingSchedule)
    metrics: Annotated[tuple[Metric, ...], "numbers reported beside the cost; accuracy comes with labels"] = ()
    watch: Annotated[Literal["layers"] | Watch | None, "what is recorded of each layer; nothing if absent"] = None
    backend: Annotated[BackendComponent, "what runs the plan"] = field(default_factory=Auto)
    sweep: Annotated[Sweep | None, "what `nnctl sweep` searches"] = None

    @property
    def watched(self) -> Watch | None:
        """The records on layers that are asked for; None where there are none."""
        return Watch() if self.watch == "layers" else self.watch


IN_NO_GRAPH = frozenset(("name", "description", "seed", "data", "from_", "schedule", "watch", "backend", "sweep"))
"""Fields of a spec that are in no graph: of data, graphs know the signature alone."""


def settled(spec: Spec) -> Spec:
    """The spec with every component's choice by convention made."""

    def settle(value: Any) -> Any:
        if isinstance(value, Component):
            return value.for_convention(spec.convention)
        return tuple(settle(v) for v in value) if isinstance(value, tuple) else value

    kept = ("data", "schedule", "sweep")
    return replace(spec, **{f.name: settle(getattr(spec, f.name)) for f in fields(spec) if f.name not in kept})
