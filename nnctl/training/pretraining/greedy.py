"""Greedy pretraining: dense sigmoid layers learn one after the other as restricted Boltzmann machines.

It runs once, before the first step of a run, and leaves its result in the engine's
parameters: a resumed run finds it in the checkpoint. A run that ends before its first
checkpoint pretrains again, with the same result. In the run's folder stay the rows of
`pretraining.jsonl`, one an epoch of a layer, and in `checkpoints/pretraining.safetensors`
the machines as they were before fine-tuning, from which `nnctl.inference.sampling` draws.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.pretraining import Pretraining
from nnctl.data.batches import batches
from nnctl.data.dataset import Dataset, load_dataset
from nnctl.data.stored.arrays import Rows, in_memory
from nnctl.data.streams import Purpose, permutation
from nnctl.engine.engine import Engine
from nnctl.errors import DivergedError, Interrupted
from nnctl.graph import interface
from nnctl.runs.checkpoints import Checkpoint, FolderStore
from nnctl.runs.durable import GrowingFile
from nnctl.runs.folder import RunFolder
from nnctl.runs.records import PretrainingHeader
from nnctl.runs.sealed import sha256
from nnctl.spec.document import Spec
from nnctl.spec.load import Loaded
from nnctl.training.events import Pretrained
from nnctl.training.pretraining.boltzmann import Learner, Machine, StepDraws, first_machine
from nnctl.training.signals import StopRequest

SAVED = "pretraining"
"""The name of the machines' checkpoint."""
_STARTS = 256
"""Training examples kept, as the top machine sees them, for chains to begin at."""
_CHUNK = 4096
"""Examples read at once where all of them are."""

ReadRows = Callable[[NDArray[np.int64]], NDArray[Any]]
"""Rows of the training set as a machine's visible units see them: (n,) → (n, visible), float32."""


def pretrain(
    loaded: Loaded, engine: Engine, data: Dataset, folder: RunFolder, stop: StopRequest | None
) -> Iterator[Pretrained]:
    """Let the engine's layers that the spec's `pretraining` names learn from the inputs of the training set.

    data: the spec's, with the statistics of which the engine rescales. Nothing where no layer
    is named. Raises SpecError where a layer or the inputs do not fit, DataError,
    DivergedError, and Interrupted between two updates.
    """
    asked = loaded.spec.pretraining
    if asked is None:
        return
    stored = _with_those_left_out(loaded) if asked.unlabelled else data.train.inputs
    inputs = in_memory(stored, "pretraining: the training set")
    _check_shapes(loaded, asked, engine)
    read = _inputs_as_they_enter(engine, inputs)
    if asked.visible == "bernoulli":
        _check_range(loaded, read, len(inputs))
    machines: dict[str, Machine] = {}
    seen = read
    began = time.monotonic()
    with closing(GrowingFile(folder.pretraining)) as rows:
        rows.truncate(0)
        for phase, layer in enumerate(asked.layers):
            gaussian = asked.visible == "gaussian" and not machines
            hidden = engine.parameters[f"{layer}.weight"][1]
            phases = _Phase(asked, loaded.spec, phase, layer, stop)
            for epoch, error, machine in phases.epochs(read, len(inputs), hidden, gaussian):
                row = Pretrained(layer, epoch, asked.epochs, error, round(time.monotonic() - began, 3))
                rows.write(json.dumps({"event": "pretraining", **asdict(row)}) + "\n")
                machines[layer] = machine
                yield row
            answers = np.concatenate(
                [machines[layer].hidden(read(part)) for part in batches(np.arange(len(inputs)), _CHUNK)]
            )
            seen, read = read, _rows_of(answers)
        rows.flush()
    learned = {f"{layer}.weight": machine.weight for layer, machine in machines.items()}
    learned |= {f"{layer}.bias": machine.hidden_bias for layer, machine in machines.items()}
    some = permutation(len(inputs), loaded.spec.seed, Purpose.SAMPLE)[:_STARTS]
    identity = {"data": data.fingerprint, "spec_sha256": sha256(loaded.text.encode())}
    save(folder, machines, seen(some), identity)
    engine.assign(learned)


def save(folder: RunFolder, machines: dict[str, Machine], starts: NDArray[Any], identity: Mapping[str, str]) -> None:
    """Keep in the run's folder the machines, from the lowest to the top, and some v (n, visible) of the top one.

    identity: the run's data and spec, of the fields of `PretrainingHeader`. Raises RunError.
    """
    tensors = {"starts": starts}
    for layer, machine in machines.items():
        tensors[f"{layer}.weight"] = machine.weight
        tensors[f"{layer}.visible_bias"] = machine.visible_bias
        tensors[f"{layer}.hidden_bias"] = machine.hidden_bias
    gaussian = [layer for layer, machine in machines.items() if machine.gaussian]
    header = {**identity, "layers": list(machines), "gaussian": gaussian}
    FolderStore(folder).save(Checkpoint(header, tensors), SAVED)


def load(folder: RunFolder) -> tuple[list[Machine], NDArray[Any]]:
    """The machines of a run, from the lowest to the top, and the kept v of the top one. Raises RunError."""
    saved = FolderStore(folder).load(SAVED, PretrainingHeader)
    machines = [
        Machine(
            saved.tensors[f"{layer}.weight"],
            saved.tensors[f"{layer}.visible_bias"],
            saved.tensors[f"{layer}.hidden_bias"],
            layer in saved.progress["gaussian"],
        )
        for layer in saved.progress["layers"]
    ]
    return machines, saved.tensors["starts"]


class _Phase:
    """The learning of one machine."""

    def __init__(self, asked: Pretraining, spec: Spec, number: int, layer: str, stop: StopRequest | None) -> None:
        self._asked, self._seed, self._number, self._layer, self._stop = asked, spec.seed, number, layer, stop
        self._schedule = asked.schedule.for_convention(spec.convention)

    def epochs(
        self, read: ReadRows, examples: int, hidden: int, gaussian: bool
    ) -> Iterator[tuple[int, float, Machine]]:
        """(epoch from 1, mean reconstruction error, machine) after each."""
        asked = self._asked
        step = 0
        mean = np.mean([read(part).sum(axis=0, dtype=np.float64) for part in batches(np.arange(examples), _CHUNK)], 0)
        mean *= math.ceil(examples / _CHUNK) / examples
        machine = first_machine(mean, examples, hidden, gaussian, self._draws(step))
        chains = read(self._order(0, examples)[: asked.batch_size]) if asked.persistent else None
        learner = Learner(
            machine,
            learning_rate=asked.learning_rate,
            momentum=asked.momentum,
            weight_decay=asked.weight_decay,
            k=asked.k,
            chains=chains,
        )
        for epoch in range(asked.epochs):
            total = 0.0
            # What overflows ends as an error that is not finite.
            with np.errstate(over="ignore", invalid="ignore"):
                for rows in batches(self._order(epoch, examples), asked.batch_size):
                    if self._stop is not None and self._stop.signal_number is not None:
                        raise Interrupted(
                            self._stop.signal_number,
                            f"stopped while '{self._layer}' was pretrained; --resume begins pretraining anew",
                        )
                    self._set_rate(learner, epoch, step, math.ceil(examples / asked.batch_size))
                    step += 1
                    total += learner.step(read(rows), self._draws(step))
            if not math.isfinite(total):
                raise DivergedError(
                    f"the pretraining of '{self._layer}' diverged in epoch {epoch + 1}\n"
                    f"  lower pretraining.learning_rate, now {asked.learning_rate:g}; gaussian units need 0.01 or less"
                )
            yield epoch + 1, total / examples, learner.machine

    def _set_rate(self, learner: Learner, epoch: int, step: int, steps_per_epoch: int) -> None:
        """Set what the schedule says of a step, counted from 0 within this layer's time."""
        asked, schedule = self._asked, self._schedule
        t, total = (epoch, asked.epochs) if schedule.unit == "epoch" else (step, asked.epochs * steps_per_epoch)
        learner.learning_rate = schedule.rate_at(asked.learning_rate, t, total)
        momentum = schedule.momentum_at(t, total)
        learner.momentum = asked.momentum if momentum is None else momentum

    def _draws(self, step: int) -> StepDraws:
        return StepDraws(self._seed, Purpose.PRETRAIN, self._number, step)

    def _order(self, epoch: int, examples: int) -> NDArray[np.int64]:
        return permutation(examples, self._seed, Purpose.PRETRAIN_ORDER, self._number << 40 | epoch)


def _with_those_left_out(loaded: Loaded) -> Rows:
    """The inputs (n, *input_shape) of the training set before `data.subset`, as stored."""
    source = loaded.spec.data.without_subset()
    if source is None:
        raise loaded.error(
            "pretraining.unlabelled",
            "all of the training set has labels: the data has no 'subset'",
            hint="remove the key, or say how many examples have labels with data.subset",
        )
    return load_dataset(source, loaded.folder, loaded.spec.seed).train.inputs


def _inputs_as_they_enter(engine: Engine, inputs: NDArray[Any]) -> ReadRows:
    flat = inputs.reshape(len(inputs), -1)
    if engine.network.signature.statistics_shape is None:
        return _rows_of(flat)
    statistics = engine.read(interface.STATISTICS)
    shift, scale = (np.broadcast_to(array, inputs.shape[1:]).reshape(-1) for array in statistics.values())
    return lambda rows: np.asarray((flat[rows].astype(np.float32) - shift) * scale, np.float32)


def _rows_of(values: NDArray[Any]) -> ReadRows:
    return lambda rows: np.asarray(values[rows], np.float32)


def _check_shapes(loaded: Loaded, asked: Pretraining, engine: Engine) -> None:
    signature = engine.network.signature
    if signature.input_dtype == "index":
        raise loaded.error("pretraining", "the inputs are indices, and a Boltzmann machine reads numbers")
    if signature.embedded:
        name = signature.embedded[0].name
        raise loaded.error(
            "pretraining", f"column '{name}' is embedded, and a Boltzmann machine reads numbers that do not learn"
        )
    features = math.prod(signature.input_shape)
    for number, layer in enumerate(asked.layers):
        shape = engine.parameters[f"{layer}.weight"]
        if shape[0] != features:
            raise loaded.error(
                f"pretraining.layers.{number}",
                f"'{layer}' reads {shape[0]} of the {features} features before it, along the last axis",
                hint="put the layer flatten before it",
            )
        features = shape[1]


def _check_range(loaded: Loaded, read: ReadRows, examples: int) -> None:
    parts = [read(part) for part in batches(np.arange(examples), _CHUNK)]
    least, most = min(float(p.min()) for p in parts), max(float(p.max()) for p in parts)
    if least < 0.0 or most > 1.0:
        raise loaded.error(
            "pretraining.visible",
            f"bernoulli units are probabilities, and the inputs go from {least:.4g} to {most:.4g}",
            hint="standardize the inputs and write visible: gaussian, or bring them to 0…1 with "
            "data.transforms: [min_max]",
        )
