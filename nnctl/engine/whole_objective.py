"""Training steps of optimizers that look at the whole objective: on the host, in float64.

The objective, its gradient and the products with second derivatives are plans like
any other, run by the reference interpreter: curvature lost to float32 rounding
would cost more steps than a faster backend saves. Between steps the weights are
float32, as for every optimizer, so that a step is a function of the checkpoint alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.contract import Executable
from nnctl.backends.registry import reference_backend
from nnctl.components.optimizers.whole_objective import WholeObjectiveOptimizer
from nnctl.engine.chunks import Chunk, PlacedExamples
from nnctl.errors import ShapeError
from nnctl.graph import interface
from nnctl.graph.host_graphs import HostGraphs
from nnctl.graph.ir import Graph
from nnctl.graph.network import Network
from nnctl.graph.passes import drop_dead
from nnctl.plan.dtypes import REAL

Array = NDArray[Any]
_AT_ONCE = 256
"""Directions fed in one run of a product's plan: what they take in memory is this many times the net."""
_FULL = np.dtype(np.float64)


class HostTraining:
    """Drives a `WholeObjectiveOptimizer`.

    seed: of random layers, (2,). examples: the n of λ/n. Raises ShapeError, at the
    optimizer, where the net is too large for it or its constraints are beyond it.
    """

    def __init__(self, network: Network, optimizer: WholeObjectiveOptimizer, seed: Array, examples: float) -> None:
        self.network = network
        self.graphs = HostGraphs(network)
        self.optimizer = optimizer
        self.backend = reference_backend()
        trained = [interface.parameter_of(output) for output in network.training_step.outputs]
        self.shapes = {name: network.structure.parameters[name].shape for name in trained if name is not None}
        self.sizes = {name: int(np.prod(shape, dtype=np.int64)) for name, shape in self.shapes.items()}
        self.parameters = sum(self.sizes.values())
        self._refuse()
        whole = network.training_step
        value = {interface.OBJECTIVE: whole.outputs[interface.OBJECTIVE]}
        self.value = drop_dead(Graph("objective", whole.nodes, value))
        self._seed, self._examples = seed, examples
        self._data: dict[str, Array] = {}
        self._held: tuple[PlacedExamples, int | None] | None = None

    def _refuse(self) -> None:
        name, most = self.optimizer.type, self.optimizer.most_parameters
        if most is not None and self.parameters > most:
            raise ShapeError(
                f"{name} takes nets of at most {most} parameters, and this one has {self.parameters}",
                "use lbfgs or hessian_free, which need no matrix of second derivatives",
                path="optimizer",
            )
        if self.optimizer.solves_readout:
            _ = self.graphs.readout
            if self.network.spec.schedule.batch_size != "full":
                raise ShapeError(
                    f"{name} solves for the batch that it is given, and that is to be the whole training set",
                    "set schedule.batch_size: full",
                    path="optimizer",
                )
        for parameter, regularizer in self.network.structure.regularizers.items():
            if regularizer.projects:
                raise ShapeError(
                    f"{name} cannot keep {parameter} within the bounds of {regularizer.type}",
                    "use a penalty instead, for example l2, or a first-order optimizer",
                    path="optimizer",
                )

    def initial_state(self) -> dict[str, Array]:
        """First values of the optimizer state, by the names that it has in checkpoints."""
        state = self.optimizer.initial_state(self.parameters)
        return {interface.optimizer_state(name): array for name, array in state.items()}

    def read(self, chunk: Chunk, to_host: Callable[[Any], Array]) -> None:
        """Take over the examples that a chunk reads, unless they are the ones of the chunk before."""
        held = (chunk.examples, chunk.window)
        if self._held != held:
            self._data = {name: _full(to_host(array)) for name, array in chunk.examples.arrays.items()}
            self._held = held

    def train(
        self,
        state: Mapping[str, Array],
        indices: Array,
        scheduled: Mapping[str, Array],
        first_step: int,
    ) -> tuple[dict[str, Array], dict[str, list[Array]]]:
        """Run len(indices) steps from `state`: (the state after them, outputs of each step before its update).

        indices: (steps, batch), rows of the examples that were read last.
        The outputs are fewer than the steps where the cost of the next one is not finite.
        """
        now = dict(state)
        measured: dict[str, list[Array]] = {}
        for number, index in enumerate(indices):
            storage = {name: _full(array) for name, array in now.items()}
            storage |= self._data | {interface.SEED: self._seed, interface.EXAMPLES: np.array(self._examples)}
            objective = HostObjective(self, storage, index, first_step + number)
            w = objective.flat({name: now[name] for name in self.shapes})
            first = objective.measure(w)
            if not np.isfinite(first[interface.OBJECTIVE]):
                break
            for name, value in first.items():
                if interface.is_measure(name):
                    measured.setdefault(name, []).append(value)
            rates = {name: float(values[number]) for name, values in scheduled.items()}
            names = self.optimizer.initial_state(self.parameters)
            kept = {name: now[interface.optimizer_state(name)] for name in names}
            w, kept = self.optimizer.step(objective, w, rates, kept)
            now |= {name: array.astype(REAL) for name, array in objective.by_name(w).items()}
            now |= {interface.optimizer_state(name): array for name, array in kept.items()}
            for name, array in first.items():
                if (state_name := interface.state_of(name)) is not None:
                    now[state_name] = array.astype(REAL)
        return now, measured


class HostObjective:
    """The `Objective` of one step, which components know: rows `index` of the training set, the masks of `step`."""

    def __init__(self, training: HostTraining, storage: dict[str, Array], index: Array, step: int) -> None:
        self._training = training
        self._storage = storage
        self._feeds = {interface.INDEX: index, interface.STEP: np.array(step)}
        self._executables: dict[str, Executable] = {}
        self._last: tuple[Array, dict[str, Array]] | None = None

    # -- the flat vector -------------------------------------------------------

    def flat(self, arrays: Mapping[str, Array]) -> Array:
        """(…, parameters) float64 from arrays (…, *shape) by parameter name; 0 where there is none."""
        shapes, sizes = self._training.shapes, self._training.sizes
        axes = {array.shape[: array.ndim - len(shapes[name])] for name, array in arrays.items()}
        (outer,) = axes or {()}
        parts = [
            arrays[name].astype(np.float64).reshape(*outer, size) if name in arrays else np.zeros((*outer, size))
            for name, size in sizes.items()
        ]
        return np.concatenate(parts, axis=-1)

    def by_name(self, w: Array) -> dict[str, Array]:
        """The parts of a flat vector (…, parameters), each (…, *shape)."""
        ends = np.cumsum(list(self._training.sizes.values()))
        parts = np.split(w, ends[:-1], axis=-1)
        shapes = self._training.shapes
        return {
            name: part.reshape(*w.shape[:-1], *shape) for part, (name, shape) in zip(parts, shapes.items(), strict=True)
        }

    def nearest(self, w: Array) -> Array:
        """See `Objective`."""
        with np.errstate(over="ignore"):
            return w.astype(REAL).astype(np.float64)

    # -- evaluations -----------------------------------------------------------

    def measure(self, w: Array) -> dict[str, Array]:
        """Every output of the network's training step at w."""
        if self._last is None or not np.array_equal(self._last[0], w):
            outputs = self._run(self._training.network.training_step, w)
            self._last = (w.copy(), {name: array[0] for name, array in outputs.items()})
        return self._last[1]

    def value(self, w: Array) -> float:
        """See `Objective`."""
        if self._last is not None and np.array_equal(self._last[0], w):
            return float(self._last[1][interface.OBJECTIVE])
        return float(self._run(self._training.value, w)[interface.OBJECTIVE][0])

    def value_and_gradient(self, w: Array) -> tuple[float, Array]:
        """See `Objective`."""
        measured = self.measure(w)
        gradients = {name: measured[interface.gradient(name)] for name in self._training.shapes}
        return float(measured[interface.OBJECTIVE]), self.flat(gradients)

    def hessian_products(self, w: Array, v: Array) -> Array:
        """See `Objective`."""
        return self._products(self._training.graphs.hessian_product, w, v)

    def gauss_newton_products(self, w: Array, v: Array) -> Array:
        """See `Objective`."""
        return self._products(self._training.graphs.gauss_newton_product, w, v)

    def readout(self) -> tuple[Array, Array]:
        """See `Objective`."""
        outputs = self._run(self._training.graphs.readout, self.flat({}))
        return outputs[interface.FEATURES][0], outputs[interface.READOUT_TARGETS][0]

    def _products(self, graph: Graph, w: Array, v: Array) -> Array:
        if not graph.outputs:
            return np.zeros_like(v)
        parts = []
        for first in range(0, len(v), _AT_ONCE):
            rows = v[first : first + _AT_ONCE]
            fed = {interface.direction(name): array for name, array in self.by_name(rows).items()}
            parts.append(self.flat(self._run(graph, w, fed, len(rows))))
        return np.concatenate(parts)

    def _run(self, graph: Graph, w: Array, fed: Mapping[str, Array] | None = None, steps: int = 1) -> dict[str, Array]:
        for name, array in self.by_name(w).items():
            self._storage[name][...] = array
        if graph.name not in self._executables:
            sizes = interface.sizes(len(self._feeds[interface.INDEX]), len(self._storage[interface.INPUTS]))
            backend = self._training.backend
            plan = backend.plan(graph, sizes, "float64")
            self._executables[graph.name] = backend.load(plan, self._storage)
        feeds = {name: np.broadcast_to(value, (steps, *value.shape)) for name, value in self._feeds.items()}
        return self._executables[graph.name].start({**feeds, **(fed or {})}, steps).result().outputs


def _full(array: Array) -> Array:
    """In float64 where it holds real numbers, and a copy."""
    return np.array(array, _FULL if array.dtype.kind == "f" else array.dtype)
