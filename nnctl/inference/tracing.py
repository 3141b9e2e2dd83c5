"""A spec's or a run's net on one example of its data, traced through a training step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nnctl.analysis.trace.stages import Array, Trace
from nnctl.analysis.trace.tracing import trace
from nnctl.backends.registry import reference_backend
from nnctl.components.optimizers.whole_objective import WholeObjectiveOptimizer
from nnctl.data.dataset import Dataset, Split, load_dataset
from nnctl.engine.engine import Engine, load_engine
from nnctl.engine.initial import initial_state
from nnctl.engine.target_arrays import target_arrays
from nnctl.errors import UsageError
from nnctl.graph import interface
from nnctl.graph.network import Network
from nnctl.inference.evaluation import data_of
from nnctl.inference.opened import TrainedRun, read_run
from nnctl.runs.find import is_run
from nnctl.spec.load import Loaded
from nnctl.training.rates import Rates, at_step
from nnctl.training.specs import STDIN, open_spec
from nnctl.training.timetable import Timetable
from nnctl.training.transfer import transfer


def traced(
    path: Path, example: int = 0, *, split: str = "train", checkpoint: str | None = None, overrides: Sequence[str] = ()
) -> Trace:
    """The step that training would make of one example alone, with the first weights of a spec or a run's trained ones.

    path: a spec, a run, or `-`. example: its index in the split, counted from 0. overrides: of a spec.
    Raises UsageError, SpecError, DataError, RunError.
    """
    if path != STDIN and path.is_dir() and is_run(path):
        if overrides:
            raise UsageError("--set: a run's weights belong to its spec as it is\n  trace RUN/spec.yaml with --set")
        saved = read_run(path, checkpoint)
        run = saved.start(reference_backend().name)
        memory = saved.saved.progress["schedule"]
        return _Example(run.loaded, run.engine, data_of(run, {}), split, example, run, memory).trace()
    if checkpoint is not None:
        raise UsageError(f"--checkpoint {checkpoint}: a spec has none; give a run, for example runs/NAME/1")
    loaded = open_spec(path, overrides)
    with loaded.pointing():
        data = load_dataset(loaded.spec.data, loaded.folder, loaded.spec.seed)
    engine = load_engine(loaded, data.signature, examples=len(data.train), backend=reference_backend().name)
    engine.assign({interface.of_data(name): array for name, array in data.statistics.items()})
    transfer(loaded, engine)
    return _Example(loaded, engine, data, split, example).trace()


class _Example:
    """One example, and the net that it is traced through."""

    def __init__(
        self,
        loaded: Loaded,
        engine: Engine,
        data: Dataset,
        split: str,
        example: int,
        run: TrainedRun | None = None,
        memory: dict[str, Any] | None = None,
    ) -> None:
        self.loaded, self.engine, self.data, self.run, self.memory = loaded, engine, data, run, memory
        self.network: Network = engine.network
        self.split, self.example = split, example
        if split not in data.splits:
            there = ", ".join(data.splits)
            raise UsageError(f"--split {split}: this data has no such split\n  it has {there}")
        part = data.splits[split]
        if not 0 <= example < len(part):
            raise UsageError(
                f"--example {example}: the {split} split has {len(part):,} examples, 0 to {len(part) - 1:,}"
            )
        rows = np.array([example])
        weights = None if part.weights is None else part.weights[rows]
        self.part = Split(np.asarray(part.inputs[rows]), part.targets[rows], weights)
        self.step = 0 if run is None else run.step
        self.timetable = Timetable.of_spec(loaded.spec, len(data.train))

    def trace(self) -> Trace:
        """The trace, the conditions of which are said."""
        with self.loaded.pointing():
            return trace(self.network, self._given(), facts=self._facts(), words=self._words(), updated=self._updated())

    def _rates(self) -> dict[str, float]:
        spec = self.loaded.spec
        schedule = spec.schedule.learning_rate.for_convention(spec.convention)
        rates = Rates(schedule, spec.optimizer.for_convention(spec.convention), self.timetable)
        if self.run is not None:
            rates.memory = self.memory
        return at_step(rates.values(min(self.step, self.timetable.steps - 1), 1), 0)

    def _given(self) -> dict[str, Any]:
        spec, network = self.loaded.spec, self.network
        given: dict[str, Any] = dict(self.engine.state())
        # Of an example of its own a sequence begins.
        first = initial_state(network, spec.seed, 1)
        given |= {name: first[name] for name in network.structure.recurrent_states}
        given |= {interface.INPUTS: self.part.inputs}
        given |= target_arrays(network.signature, self.part.targets, self.part.weights)
        given |= {interface.EXAMPLES: float(len(self.data.train))}
        given |= {interface.SEED: np.array(interface.seed_words(spec.seed))}
        return given | {interface.INDEX: np.arange(1), interface.STEP: self.step, **self._rates()}

    def _updated(self) -> dict[str, Array]:
        """New values of the parameters, where the optimizer looks at the whole objective."""
        if not isinstance(self.network.spec.optimizer, WholeObjectiveOptimizer):
            return {}
        self.engine.feed.bind("traced", np.asarray(self.part.inputs), self.part.targets, weights=self.part.weights)
        reader = self.engine.feed["traced"]
        reader.advance_to(0, 0)
        chunk = reader.chunk(0, 0, 1, 1)
        self.engine.train(chunk, {name: np.array([rate]) for name, rate in self._rates().items()}, self.step)
        after = self.engine.state()
        return {name: after[name] for name in self.network.structure.parameters}

    # -- what is said --------------------------------------------------------------

    def _facts(self) -> dict[str, Any]:
        spec = self.loaded.spec
        of_run = {} if self.run is None else {"run": str(self.run.folder.path), "checkpoint": self.run.checkpoint}
        facts: dict[str, Any] = {"net": spec.name or Path(self.loaded.source).stem, **of_run, "split": self.split}
        facts |= {"example": self.example, "step": self.step}
        classes = self.data.signature.classes
        if classes is not None and self.part.targets.size == 1:
            label = int(self.part.targets.reshape(-1)[0])
            facts["class"] = "left out" if label < 0 else classes[label]
        return facts | {"weights": "first" if self.run is None else "trained", **self._rates()}

    def _words(self) -> tuple[str, ...]:
        """A sentence on each condition of the step that training has in another way."""
        spec, structure = self.loaded.spec, self.network.structure
        said = [
            "A step of training on this example alone, a batch of one, computed in float64 from the float32 weights "
            "that training holds; n, the number of training examples, is "
            f"{len(self.data.train):,}."
        ]
        if self.split != "train":
            said.append(f"It is an example of the {self.split} split: training never makes this step.")
        batch = self.timetable.batch
        if batch > 1:
            said.append(
                f"The spec's batches have {batch:,} examples: there C is the mean over the batch, and each gradient "
                "the mean of those of its examples."
            )
        if structure.positions:
            layers = ", ".join(structure.positions)
            alone = structure.needing_batches
            nothing = f"; of one number less its own mean {', '.join(alone)} makes 0, so that nothing before it learns"
            said.append(
                f"{layers}: mean and variance are those of this example, not of a batch{nothing if alone else ''}."
            )
        if self._random():
            said.append(
                f"Random layers are active: their masks are those of step {self.step:,} for the first row of a batch, "
                f"by seed {spec.seed}."
            )
        if spec.data.augmentations:
            said.append("Training changes the example anew each time (data.augment); here it is as it is stored.")
        if spec.pretraining is not None and self.run is None:
            said.append(
                "Training begins with pretraining, which these first weights have not had: trace a run to see those."
            )
        if structure.recurrent_states:
            said.append("Stateful layers begin anew: recurrent state is 0 before the example.")
        frozen = sorted({p.layer for p in structure.parameters.values() if p.frozen})
        if frozen:
            said.append(f"{', '.join(frozen)}: frozen, without gradient or update.")
        if self.run is not None and self.step >= self.timetable.steps:
            said.append(f"The run is at its end, after step {self.step:,}; the rates are those of its last step.")
        return tuple(said)

    def _random(self) -> bool:
        return any(node.op.name in ("uniform", "normal") for node in self.network.unfused_training_step.nodes)
