"""A compiled spec, loaded on a backend with its state and its data: what the training loop drives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.contract import Backend, Executable, Pending
from nnctl.backends.registry import choose_backend
from nnctl.components.optimizers.whole_objective import WholeObjectiveOptimizer
from nnctl.components.signature import DataSignature
from nnctl.engine.ahead import compile_ahead
from nnctl.engine.chunks import NO_EXAMPLES, Chunk, PlacedExamples
from nnctl.engine.evaluate import Passes
from nnctl.engine.feed import Feed
from nnctl.engine.initial import initial_state
from nnctl.engine.kept import KeptNets
from nnctl.engine.layer_rows import LayerRow, layer_rows
from nnctl.engine.loaded import LoadedPlans
from nnctl.engine.measures import Measures
from nnctl.engine.memory import require_for_training
from nnctl.engine.state import State
from nnctl.engine.whole_objective import HostTraining
from nnctl.errors import DataError, ShapeError
from nnctl.graph import interface
from nnctl.graph.measuring import per_example
from nnctl.graph.network import Network
from nnctl.late import dataclass
from nnctl.plan.dtypes import INDEX, REAL
from nnctl.plan.lower import lower
from nnctl.process.cores import cores
from nnctl.process.together import Work, to_its_end
from nnctl.spec.document import Spec
from nnctl.spec.load import Loaded

_READ_BYTES_PER_SECOND = 8e8
"""Of rows gathered in any order from a file that the system holds in memory, about."""
_STEP_FLOPS_PER_SECOND = 5e10
"""Of a small net's step on one core, about."""


@dataclass(frozen=True)
class Steps:
    """Measurements of a chunk of training steps.

    completed: how many steps updated the parameters; fewer than asked for where the
        cost of the next one was not finite (its update did not happen).
    metrics: "cost" (the batch's mean), "weight" (its share in a mean of costs), the metrics'
        statistics and the step metrics; float64 arrays of shape (completed, …).
    seconds: see `nnctl.backends.contract.Result`.
    """

    completed: int
    metrics: dict[str, NDArray[Any]]
    seconds: float | None = None


class Engine:
    """The compiled net. `feed` holds its data: splits are bound there.

    seed: of initial weights and of the randomness inside the net.
    examples: size of the training set, the n in λ/n.
    backend: overrides the spec's. threads: where the spec's backend says none. kept: nets of runs before.
    """

    feed: Feed

    def __init__(
        self,
        spec: Spec,
        signature: DataSignature,
        *,
        seed: int,
        examples: int,
        backend: str | None = None,
        threads: int | None = None,
        read_bytes: int = 0,
        kept: KeptNets | None = None,
    ) -> None:
        net = (kept or KeptNets()).of(spec, signature)
        self.network = net.network
        if read_bytes:
            threads = beside_reading(self.network, threads, read_bytes)
        asked_batch = spec.schedule.batch_size
        batch = examples if asked_batch == "full" else min(asked_batch, examples)
        compile_ahead(self.network, batch, examples, backend, threads)
        graphs = [self.network.training_step, self.network.evaluation, self.network.raw_prediction]
        graphs += [self.network.watched] if spec.watched is not None else []
        choice = choose_backend(spec.backend, graphs, name=backend, workers=threads)
        self._backend = choice.backend
        self.backend_name = choice.backend.name
        self.threads = choice.backend.resources.workers
        self.backend_reason = choice.reason
        require_for_training(self.network, batch, examples, self._backend.memory_left)
        first = {name: array.astype(REAL) for name, array in initial_state(self.network, seed, batch).items()}
        words = np.array(interface.seed_words(seed), INDEX)
        self._host: HostTraining | None = None
        optimizer = self.network.spec.optimizer
        if isinstance(optimizer, WholeObjectiveOptimizer):
            self._host = HostTraining(self.network, optimizer, words, float(examples))
            first |= self._host.initial_state()
            self.backend_reason += f"; {optimizer.type} computes its steps in float64 on {self._host.backend.name}"
        self._state = State(self.network, self._backend, first)
        constants: dict[str, NDArray[Any]] = {
            interface.SEED: words,
            interface.EXAMPLES: np.array(examples, REAL),
        }
        self._storage = {**self._state.arrays, **{n: self._backend.to_device(array) for n, array in constants.items()}}
        self._plans = LoadedPlans(net, self._backend, self._storage)
        self._passes = Passes(self.network, self._backend, self._plans)
        self.feed = Feed(self.network, self._backend)

    # -- facts ---------------------------------------------------------------

    @property
    def backend(self) -> Backend:
        """The backend that runs its steps."""
        return self._backend

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
        """The columns measured of parameters in each training step: ("gradient_norm.dense1.bias", …)."""
        return self.network.step_metrics

    def higher_is_better(self, metric: str) -> bool:
        """Direction of a metric; False for the cost."""
        return metric != interface.COST and self.network.metrics[metric].higher_is_better

    def measures(self) -> Measures:
        """New measures of the net's cost, metrics and step metrics, which have seen no example."""
        network = self.network
        per_label = per_example(network.evaluation)
        ignores = network.signature.ignores
        return Measures(network.fitted_metrics, network.step_metrics, per_label, ignores=ignores)

    # -- training ------------------------------------------------------------

    def train(self, chunk: Chunk, scheduled: Mapping[str, NDArray[Any]], first_step: int) -> Steps:
        """Run the steps of a chunk; see `begin`."""
        return self.begin(chunk, scheduled, first_step)()

    def begin(self, chunk: Chunk, scheduled: Mapping[str, NDArray[Any]], first_step: int) -> Callable[[], Steps]:
        """Start the steps of a chunk; what is returned waits for them, and is to be called before anything else here.

        scheduled: per step values (steps,) of the optimizer's scheduled fields, e.g. "learning_rate".
        first_step: steps done before, from 0; it keys dropout and Adam's t.
        """
        if self._host is not None:
            steps = self._train_on_host(self._host, chunk, scheduled, first_step)
            return lambda: steps
        pending = self.start(chunk, scheduled, first_step)

        def landed() -> Steps:
            result = pending.result()
            metrics = {name: values.astype(np.float64) for name, values in result.outputs.items()}
            return Steps(result.completed, metrics, result.seconds)

        return landed

    def start(self, chunk: Chunk, scheduled: Mapping[str, NDArray[Any]], first_step: int) -> Pending:
        """Start what `begin` starts, of an optimizer whose steps are the backend's."""
        executable = self.loaded_step(chunk.examples, chunk.batch)
        numbers = np.arange(first_step, first_step + chunk.steps, dtype=INDEX)
        indices = chunk.indices if chunk.entries is None else chunk.entries
        feeds = {interface.INDEX: indices, interface.STEP: numbers}
        # A rate beyond single precision is infinite there, and the run ends as diverged.
        with np.errstate(over="ignore"):
            feeds |= {name: np.asarray(values, REAL) for name, values in scheduled.items()}
        return executable.start(feeds, chunk.steps)

    def loaded_step(self, examples: PlacedExamples, batch: int) -> Executable:
        """The training step on batches of these examples, loaded over the state."""
        return self._plans.of(self.network.training_step, examples, batch)

    def longest_step(self, examples: PlacedExamples, batch: int) -> float | None:
        """Seconds that a step of training takes at most, or hardly more, on any machine; None where nobody can know."""
        if self._host is not None:
            return None
        return self._plans.longest_step(self.network.training_step, examples, batch)

    def _train_on_host(
        self, host: HostTraining, chunk: Chunk, scheduled: Mapping[str, NDArray[Any]], first_step: int
    ) -> Steps:
        host.read(chunk, self._backend.to_host)
        state, values = host.train(self._state.read(), chunk.indices, scheduled, first_step)
        self._state.assign(state)
        metrics = {name: np.array(array, np.float64) for name, array in values.items()}
        return Steps(len(values.get(interface.COST, [])), metrics)

    # -- passes without training ----------------------------------------------

    def evaluate(self, split: str, indices: NDArray[Any] | None = None) -> dict[str, float]:
        """Mean cost (without penalty) and metrics over a split, or over the rows `indices` of it; see `evaluating`."""
        return to_its_end(self.evaluating(split, indices))

    def evaluating(self, split: str, indices: NDArray[Any] | None = None) -> Work[dict[str, float]]:
        """Do `evaluate`, and give way while batches are under way.

        Where layers keep recurrent state these are read as `Passes` says.
        Raises DataError where these are none.
        """
        reader = self.feed.measured(split)
        rows = np.arange(reader.count, dtype=np.int64) if indices is None else indices
        if not len(rows):
            raise DataError(f"the {split} split has no example to measure")
        measures = Measures(self.network.fitted_metrics, (), per_example(self.network.evaluation))
        graph = self.network.evaluation
        outputs = []
        for examples, places in reader.parts(rows):
            outputs += yield from self._passes.run(graph, examples, places)
        measures.add_split(outputs, len(rows))
        return measures.metrics()

    def watch(self, split: str) -> list[LayerRow]:
        """Rows on the layers over a split as one batch; see `nnctl.engine.layer_rows`."""
        reader = self.feed.measured(split)
        ((examples, rows),) = reader.parts(np.arange(reader.count, dtype=np.int64))
        executable = self._plans.of(self.network.watched, examples, len(rows))
        outputs = executable.start({interface.INDEX: rows[None]}, 1).result().outputs
        return layer_rows(self.network.structure, {name: array[0] for name, array in outputs.items()})

    def penalty(self) -> float | None:
        """The regularizers' part of the objective at the present weights; None without regularizer."""
        graph = self.network.penalty
        if graph is None:
            return None
        result = self._plans.of(graph, NO_EXAMPLES, 1).start({}, 1).result()
        return float(result.outputs[interface.PENALTY][0])

    def outputs(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """The net's output for raw inputs (n, …), n arbitrary. Raises DataError where their shape is another.

        Where layers keep recurrent state the inputs are read on, as in `evaluate`.
        """
        return self._passes.outputs(self.feed.guest(inputs).examples)

    # -- state ---------------------------------------------------------------

    def read(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Copies of arrays of the state, by name. Raises KeyError for an unknown one."""
        return self._state.read(names)

    def assign(self, values: Mapping[str, NDArray[Any]]) -> None:
        """Change arrays of the state in place: all of these, or none.

        Raises RunError for an unknown name, another shape or another dtype.
        """
        if self._state.assign(values):
            self._plans.drop()

    def state(self) -> dict[str, NDArray[Any]]:
        """A copy of everything that training changes, plus the input statistics, by name."""
        return self._state.read()

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a `state()`. Raises RunError where names, shapes or types differ."""
        self._state.require_all(state)
        self.assign(state)

    def reset_states(self) -> None:
        """Give the recurrent state of training its first values: sequences begin."""
        self._state.reset_recurrent()

    def storage_on_host(self, examples: PlacedExamples) -> dict[str, NDArray[Any]]:
        """Copies of everything that a graph over these examples reads besides its feeds, by name."""
        placed = {**self._storage, **examples.arrays}
        return {name: self._backend.to_host(array) for name, array in placed.items()}


def beside_reading(network: Network, threads: int | None, read_bytes: int) -> int | None:
    """The threads of a step beside one that reads so many bytes an example: one fewer where reading takes long.

    Threads wait for one another at barriers: a core that reads for a good part of the time of a step holds up all. Bits
    do not depend on it.
    """
    most = threads or cores()
    step = 3 * lower(network.prediction, interface.sizes(1, 1)).flops / _STEP_FLOPS_PER_SECOND
    return most - 1 if most > 1 and 4 * read_bytes / _READ_BYTES_PER_SECOND > step else threads


def load_engine(
    loaded: Loaded,
    signature: DataSignature,
    *,
    examples: int,
    threads: int | None = None,
    backend: str | None = None,
    read_bytes: int = 0,
    kept: KeptNets | None = None,
) -> Engine:
    """The compiled net of a spec; see `Engine`. Raises SpecError, at the layer, where shapes do not fit.

    read_bytes: of an example, where another thread gathers them while the net trains. The training step is
    built with the engine, so that a misfit of net and targets is found before a folder is made.
    """
    try:
        return Engine(
            loaded.spec,
            signature,
            seed=loaded.spec.seed,
            examples=examples,
            backend=backend,
            threads=threads,
            read_bytes=read_bytes,
            kept=kept,
        )
    except ShapeError as error:
        raise loaded.shape_error(error) from error
