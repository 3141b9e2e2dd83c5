"""A compiled spec, loaded on a backend with its parameters and its data: what the training loop drives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.contract import Executable
from nnctl.backends.registry import choose_backend
from nnctl.components.optimizers.whole_objective import WholeObjectiveOptimizer
from nnctl.components.signature import DataSignature
from nnctl.data.batches import reading_batches
from nnctl.engine.initial import initial_state
from nnctl.engine.measures import Measures
from nnctl.engine.whole_objective import HostTraining
from nnctl.errors import DataError, RunError
from nnctl.graph import interface
from nnctl.graph.ir import Graph
from nnctl.graph.measuring import per_example
from nnctl.graph.network import Network
from nnctl.ops.shapes import resolve
from nnctl.plan.dtypes import element
from nnctl.spec.document import Spec

_EVALUATION_BATCH = 1000
"""Rows evaluated at once: products large enough to be fast, activations small enough to stay in cache."""
_GUEST = " "
"""The split of inputs that `outputs` is asked about; no spec can name it."""


@dataclass(frozen=True)
class Steps:
    """What a stretch of training steps measured.

    completed: how many steps updated the parameters; fewer than asked for where the
        cost of the next one was not finite (its update did not happen).
    metrics: "cost" (the batch's mean), "weight" (its share in a mean of costs), the metrics'
        statistics and the step metrics; float64 arrays of shape (completed, …).
    """

    completed: int
    metrics: dict[str, NDArray[Any]]


class Engine:
    """The compiled net.

    seed: of initial weights and of the randomness inside the net.
    examples: size of the training set, the n in λ/n.
    backend: overrides the spec's. threads: where the spec's backend says none.
    """

    def __init__(
        self,
        spec: Spec,
        signature: DataSignature,
        *,
        seed: int,
        examples: int,
        backend: str | None = None,
        threads: int | None = None,
    ) -> None:
        self.network = Network(spec, signature)
        asked = spec.backend
        graphs = (self.network.training_step, self.network.evaluation, self.network.prediction)
        choice = choose_backend(backend or asked.type, graphs, getattr(asked, "threads", None) or threads)
        self.backend_name = choice.backend.name
        self.threads = choice.backend.resources.workers
        self.backend_reason = choice.reason
        self._backend = choice.backend
        to_device = self._backend.to_device
        asked_batch = spec.schedule.batch_size
        batch = examples if asked_batch == "full" else min(asked_batch, examples)
        state = initial_state(self.network, seed, batch)
        self._state = {name: to_device(array.astype(np.float32)) for name, array in state.items()}
        self._seed = to_device(np.array(interface.seed_words(seed), np.int64))
        self._examples = to_device(np.array(examples, np.float32))
        self._host: HostTraining | None = None
        optimizer = self.network.spec.optimizer
        if isinstance(optimizer, WholeObjectiveOptimizer):
            self._host = HostTraining(self.network, optimizer, self._backend.to_host(self._seed), float(examples))
            self._state |= {name: to_device(array) for name, array in self._host.memories().items()}
            self.backend_reason += f"; {optimizer.type} computes its steps in float64 on numpy"
        self._statistics: dict[str, Any] = {}
        self._splits: dict[str, dict[str, Any]] = {}
        self._rows: dict[str, int] = {}
        self._executables: dict[tuple[str, str, int], Executable] = {}
        self._carried: dict[tuple[str, int], dict[str, Any]] = {}

    @property
    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Shape of every trained array by name, e.g. {"dense1.weight": (784, 30)}."""
        return {name: parameter.shape for name, parameter in self.network.structure.parameters.items()}

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The cost, then the metrics: ("cost", "accuracy")."""
        return (interface.COST, *self.network.metrics)

    @property
    def step_metric_names(self) -> tuple[str, ...]:
        """What is measured of parameters in each training step: ("gradient_norm.dense1.bias", …)."""
        return self.network.step_metrics

    def higher_is_better(self, metric: str) -> bool:
        """Direction of a metric; False for the cost."""
        return metric != interface.COST and self.network.metrics[metric].higher_is_better

    def measures(self) -> Measures:
        """New measures of the net's cost, metrics and step metrics, which have seen no example."""
        network = self.network
        return Measures(network.fitted_metrics, network.step_metrics, per_example(network.evaluation))

    def normalize(self, shift: NDArray[Any], scale: NDArray[Any]) -> None:
        """Set the statistics of the inputs (part of `state()` from then on)."""
        self._executables.clear()
        for name, array in zip(interface.STATISTICS, (shift, scale), strict=True):
            self._statistics[name] = self._backend.to_device(np.asarray(array, np.float32))

    def bind(self, split: str, inputs: NDArray[Any], targets: NDArray[Any]) -> None:
        """Make a split ("train", "validation", "test", or any name) known under its name.

        Raises DataError for an index that a layer of the net does not know.
        """
        self._release(split)
        kind = self.network.signature.input_dtype
        if kind == "index" and inputs.size:
            self._check_indices(int(inputs.min()), int(inputs.max()))
        labelled = self.network.signature.classes is not None
        self._splits[split] = {
            interface.INPUTS: self._backend.to_device(np.asarray(inputs, element(kind).host)),
            interface.TARGETS: self._backend.to_device(np.asarray(targets, np.int64 if labelled else np.float32)),
        }
        self._rows[split] = len(inputs)
        self._bind_host(split)

    def _check_indices(self, smallest: int, largest: int) -> None:
        # Generated code looks rows up unchecked. How many tokens there are is no field of a layer.
        hint = "" if self.network.signature.vocabulary else "\n  its field vocabulary is the largest index plus 1"
        for layer, known in self.network.structure.known_indices.items():
            if smallest < 0 or largest >= known:
                raise DataError(
                    f"the inputs hold the index {largest if largest >= known else smallest}, "
                    f"and layer '{layer}' knows 0 to {known - 1}{hint}"
                )

    def refill(self, split: str, inputs: NDArray[Any], targets: NDArray[Any]) -> None:
        """Let the first rows of a bound split be these, of the types it was bound with. What is compiled stays."""
        self._backend.copy_into(self._splits[split][interface.INPUTS], inputs)
        self._backend.copy_into(self._splits[split][interface.TARGETS], targets)
        self._bind_host(split)

    def _release(self, split: str) -> None:
        """Forget a split and what runs on it."""
        self._executables = {key: e for key, e in self._executables.items() if key[1] != split}
        self._splits.pop(split, None)
        self._carried = {key: states for key, states in self._carried.items() if key[0] != split}
        self._rows.pop(split, None)

    def train(self, indices: NDArray[Any], scheduled: Mapping[str, NDArray[Any]], first_step: int) -> Steps:
        """Run len(indices) steps on the rows `indices` (steps, batch) of the split "train".

        scheduled: per step values (steps,) of the optimizer's scheduled fields, e.g. "learning_rate".
        first_step: steps done before, from 0; it keys dropout and Adam's t.
        """
        if self._host is not None:
            return self._train_on_host(self._host, indices, scheduled, first_step)
        steps, batch = indices.shape
        executable = self._executable(self.network.training_step, "train", batch)
        feeds = {interface.INDEX: indices, interface.STEP: np.arange(first_step, first_step + steps, dtype=np.int64)}
        feeds |= {name: np.asarray(values, np.float32) for name, values in scheduled.items()}
        result = executable.start(feeds, steps).result()
        return Steps(result.completed, {k: v.astype(np.float64) for k, v in result.outputs.items()})

    def forget(self) -> None:
        """Begin sequences anew: what layers carry for each example of a batch becomes what it was at first."""
        for name, state in self.network.structure.recurrent_states.items():
            self._backend.copy_into(self._state[name], np.full(self._state[name].shape, state.initial, np.float32))

    def _train_on_host(
        self, host: HostTraining, indices: NDArray[Any], scheduled: Mapping[str, NDArray[Any]], first_step: int
    ) -> Steps:
        state = {name: self._backend.to_host(array) for name, array in self._state.items()}
        statistics = {name: self._backend.to_host(array) for name, array in self._statistics.items()}
        state, measured = host.train(state, statistics, indices, scheduled, first_step)
        self._executables.clear()
        self._state = {name: self._backend.to_device(array) for name, array in state.items()}
        metrics = {name: np.array(values, np.float64) for name, values in measured.items()}
        return Steps(len(measured.get(interface.COST, [])), metrics)

    def evaluate(self, split: str, indices: NDArray[Any] | None = None) -> dict[str, float]:
        """Mean cost (without penalty) and metrics over a split, or over the rows `indices` of it.

        Where layers carry their state these are read as `reading_batches` says, from the
        states' first values; what training carries stays as it is. Raises DataError where these are none.
        """
        rows = np.arange(self._rows[split], dtype=np.int64) if indices is None else indices
        if not len(rows):
            raise DataError(f"the {split} split has no example to measure")
        measures = Measures(self.network.fitted_metrics, (), per_example(self.network.evaluation))
        measures.add_split(self._in_batches(self.network.evaluation, split, rows), len(rows))
        return measures.metrics()

    def penalty(self) -> float | None:
        """The regularizers' part of the objective at the present weights; None without regularizer."""
        graph = self.network.penalty
        if graph is None:
            return None
        result = self._executable(graph, "", 1).start({}, 1).result()
        return float(result.outputs[interface.PENALTY][0])

    def outputs(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """The net's output for raw inputs (n, …), n arbitrary. Raises DataError where their shape is another.

        Where layers carry their state the inputs are read on, as in `evaluate`.
        """
        expected = self.network.signature.input_shape
        if inputs.shape[1:] != expected:
            raise DataError(f"the net reads examples of shape {expected}, these have shape {inputs.shape[1:]}")
        self.bind(_GUEST, inputs, np.zeros((len(inputs), *self.network.signature.target_shape)))
        try:
            parts = self._in_batches(self.network.prediction, _GUEST, np.arange(len(inputs), dtype=np.int64))
        finally:
            self._release(_GUEST)
        stacked = [part[interface.OUTPUT].reshape(-1, *part[interface.OUTPUT].shape[2:]) for part in parts]
        if not stacked:
            return np.zeros((0, *self._output_shape()), np.float32)
        outputs = np.concatenate(stacked)
        ordered = np.empty_like(outputs)
        ordered[np.concatenate([part.reshape(-1) for part in self._parts(len(inputs))])] = outputs
        return ordered

    def state(self) -> dict[str, NDArray[Any]]:
        """A copy of everything that training changes, plus the input statistics, by name."""
        return {name: self._backend.to_host(array) for name, array in (self._state | self._statistics).items()}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a `state()`. Raises RunError where names, shapes or types differ."""
        own = {name: tuple(array.shape) for name, array in self._state.items()}
        statistics = self.network.signature.statistics_shape
        if statistics is not None:
            own |= dict.fromkeys(interface.STATISTICS, statistics)
        if set(state) != set(own):
            missing, unknown = sorted(set(own) - set(state)), sorted(set(state) - set(own))
            raise RunError(
                f"the saved state is of another net: missing {', '.join(missing) or 'nothing'}, "
                f"unknown {', '.join(unknown) or 'nothing'}"
            )
        for name, shape in own.items():
            if shape != state[name].shape:
                raise RunError(f"{name} is saved with shape {state[name].shape}, the net has {shape}")
            kind = self._state[name].dtype if name in self._state else np.dtype(np.float32)
            if state[name].dtype != kind:
                raise RunError(f"{name} is saved as {state[name].dtype}, the net keeps {kind}")
        self._executables.clear()
        for name in self._state:
            self._state[name] = self._backend.to_device(state[name])
        if statistics is not None:
            self.normalize(*(state[name] for name in interface.STATISTICS))

    def host_storage(self, split: str) -> dict[str, NDArray[Any]]:
        """Copies of everything that a graph over a split reads besides its feeds, by name."""
        return {name: self._backend.to_host(array) for name, array in self._storage(split).items()}

    def _bind_host(self, split: str) -> None:
        if self._host is not None and split == "train":
            self._host.bind(*map(self._backend.to_host, self._splits[split].values()))

    # -- plans ---------------------------------------------------------------

    def _storage(self, split: str) -> dict[str, Any]:
        return {
            **self._state,
            **self._statistics,
            interface.SEED: self._seed,
            interface.EXAMPLES: self._examples,
            **self._splits.get(split, {}),
        }

    def _executable(
        self, graph: Graph, split: str, batch: int, carried: Mapping[str, Any] = MappingProxyType({})
    ) -> Executable:
        """The loaded plan of a graph. carried: states in place of those of training."""
        key = (graph.name, split, batch)
        if key not in self._executables:
            plan = self._backend.plan(graph, interface.sizes(batch, self._rows.get(split, 0)))
            self._executables[key] = self._backend.load(plan, {**self._storage(split), **carried})
        return self._executables[key]

    # -- evaluation ----------------------------------------------------------

    def _parts(self, count: int) -> list[NDArray[np.int64]]:
        """Positions 0…count−1 as they are evaluated: arrays (steps, batch), one behind the other."""
        if self.network.structure.recurrent_states:
            return reading_batches(count)
        positions = np.arange(count, dtype=np.int64)
        whole = count - count % _EVALUATION_BATCH
        parts = [positions[:whole].reshape(-1, _EVALUATION_BATCH), positions[whole:].reshape(1, -1)]
        return [part for part in parts if part.size]

    def _in_batches(self, graph: Graph, split: str, rows: NDArray[Any]) -> list[dict[str, NDArray[Any]]]:
        """The graph's outputs over rows, those of each of `_parts` stacked."""
        found = []
        before: Mapping[str, Any] | None = None
        for part in self._parts(len(rows)):
            steps, batch = part.shape
            carried = self._beginning(split, batch, before)
            executable = self._executable(graph, split, batch, carried)
            found.append(executable.start({interface.INDEX: rows[part]}, steps).result().outputs)
            before = carried
        return found

    def _beginning(self, split: str, batch: int, before: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """What layers carry over batches of an evaluation: their first values, or what the first rows ended with."""
        key, values = (split, batch), {}
        for name, state in self.network.structure.recurrent_states.items():
            if before is None:
                values[name] = np.full(resolve(state.value.shape, interface.sizes(batch)), state.initial, np.float32)
            else:
                values[name] = self._backend.to_host(before[name])[:batch]
        if key not in self._carried:
            self._carried[key] = {name: self._backend.to_device(array) for name, array in values.items()}
        for name, array in values.items():
            self._backend.copy_into(self._carried[key][name], array)
        return self._carried[key]

    def _output_shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = resolve(self.network.structure.output_shape[1:], {})
        return shape
