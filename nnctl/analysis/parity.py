"""Parity: two backends train the same net step by step, and the reference in float64 says what rounding is.

Every step begins from the same storage on both, so that a difference is that step's alone. The reference
runs it in float32 and in float64, and in float64 again from storage whose numbers are moved by half a unit
in float32's last place, from which `nnctl.analysis.rounding` judges it. Where a relu's input is 0 within
rounding the backends may part and both be right: such a step is run again from storage that is moved a
little, and what does not come again was a kink.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.analysis.examples import random_examples
from nnctl.analysis.rounding import Comparison, TensorParity, Worst, largest, least_difference
from nnctl.backends.contract import Backend
from nnctl.backends.registry import choose_backend, reference_backend, reference_name
from nnctl.components.signature import DataSignature
from nnctl.engine.initial import initial_state
from nnctl.engine.memory import require_for_training
from nnctl.errors import RunError, UsageError
from nnctl.graph import interface
from nnctl.graph.ir import Graph, Value
from nnctl.graph.network import Network
from nnctl.late import dataclass
from nnctl.plan.dtypes import INDEX, Precision
from nnctl.spec.document import Spec

Arrays: TypeAlias = dict[str, NDArray[Any]]
_BATCHES = 4
"""Batches of random examples that the steps draw from."""
_COSTS = (interface.COST, interface.OBJECTIVE)
_LAST_PLACE = 2.0**-24
"""Relative change of half a unit in float32's last place."""
_MOVED = 1e-4
"""Change of parameters, relative to the largest, that takes a step off a kink where it lies on one by accident."""


@dataclass(frozen=True)
class Origin:
    """The first value of a step that is no rounding, where both backends begin the step alike."""

    step: int
    layer: str
    value: str
    op: str
    relative: float


@dataclass(frozen=True)
class ParityResult:
    """The tensors in the order of the net, and where the first of them that left has its origin; None without one."""

    tensors: tuple[TensorParity, ...]
    origin: Origin | None

    @property
    def left(self) -> int | None:
        """The first step at which a tensor is no longer within rounding."""
        return min((t.left for t in self.tensors if t.left is not None), default=None)


class Parity:
    """Training steps of a spec on two backends, over random examples.

    backend: of the one that is judged; the spec's if None. against: of the other; the reference if None.
    batch: the spec's if None. Raises UsageError where both are one, or one cannot run the net.
    """

    def __init__(
        self,
        spec: Spec,
        signature: DataSignature,
        *,
        backend: str | None = None,
        against: str | None = None,
        batch: int | None = None,
        seed: int | None = None,
    ) -> None:
        self.network = Network(spec, signature)
        self._seed = spec.seed if seed is None else seed
        given = spec.schedule.batch_size
        self.batch = batch or (given if isinstance(given, int) else 32)
        self._rows = _BATCHES * self.batch
        require_for_training(self.network, self.batch, self._rows)
        graph = self.network.training_step
        self._judged = choose_backend(spec.backend, [graph], name=backend).backend
        self._other = choose_backend(spec.backend, [graph], name=against or reference_name()).backend
        if self._judged.name == self._other.name:
            raise UsageError(
                f"parity is between two backends, and both are {self._judged.name}\n"
                "  name another by --backend, or the one it is compared with by --against"
            )
        self.names = (self._judged.name, self._other.name)
        launches = reference_backend().plan(graph, self._sizes).launches
        longest = max(launch.flops / max(1, math.prod(launch.outputs[0].shape)) for launch in launches)
        self._least = least_difference(longest)

    def run(self, steps: int) -> ParityResult:
        """Run the steps. Raises RunError where the cost of random examples is no finite number."""
        graph = self.network.training_step
        sides, free = self._sides(graph), self._side(self._judged, graph)
        storage, seen = self._first(), dict[str, Worst]()
        origin: Origin | None = None
        alone: Arrays = {}
        for step in range(steps):
            feeds = self._feeds(step)
            compared = self._compare(sides, storage, feeds, step)
            alone = free.step(feeds)
            left = [name for name, found in compared.items() if found.left]
            kink = bool(left) and not self._leaves_again(sides, storage, feeds, step)
            if left and not kink and origin is None:
                origin = self._origin(storage, feeds, step)
            for name, found in compared.items():
                seen.setdefault(name, Worst()).add(step, found, kink)
            storage = sides.other.stored()
        rows = (worst.row(name, self._layer(name), alone[name]) for name, worst in seen.items())
        return ParityResult(tuple(rows), origin)

    def _compare(self, sides: _Sides, storage: Arrays, feeds: Arrays, step: int) -> dict[str, Comparison]:
        """One step of all sides from this storage, compared tensor by tensor."""
        judged, other, single, exact = (side.step(feeds, storage) for side in sides)
        near = sides.exact.step(feeds, self._rounded_otherwise(storage, step))
        if not all(np.isfinite(other[name]).all() for name in _COSTS if name in other):
            raise RunError(
                f"the cost of random examples is not finite in step {step} on {self.names[1]}\n"
                "  a smaller learning rate keeps it so: --set optimizer.learning_rate=…"
            )
        # A metric that counts jumps where rounding turns an answer.
        names = [name for name in other if name not in self.network.metrics]
        return {
            name: Comparison(self._least, judged[name], other[name], single[name], exact[name], near[name])
            for name in names
        }

    def _rounded_otherwise(self, storage: Arrays, step: int) -> Arrays:
        """The storage as it might be, were its numbers rounded another way. In float64, which tells them apart."""
        rng = np.random.Generator(np.random.Philox(key=[self._seed, (2 << 32) + step]))
        return {
            name: array * (1.0 + _LAST_PLACE * rng.uniform(-1.0, 1.0, array.shape))
            if array.dtype.kind == "f"
            else array
            for name, array in storage.items()
        }

    def _leaves_again(self, sides: _Sides, storage: Arrays, feeds: Arrays, step: int) -> bool:
        """False where the step is within rounding from storage nearby: it had hit a kink."""
        rng = np.random.Generator(np.random.Philox(key=[self._seed, (1 << 32) + step]))
        parameters = self.network.structure.parameters
        moved = {
            # Only parameters may cross 0: of the optimizer's state some is under a root.
            name: array + np.float32(_MOVED * (largest(array) or 1.0)) * rng.standard_normal(array.shape, np.float32)
            if name in parameters
            else array
            for name, array in storage.items()
        }
        return any(found.left for found in self._compare(sides, moved, feeds, step).values())

    def _origin(self, storage: Arrays, feeds: Arrays, step: int) -> Origin | None:
        """The first value of this step that is no rounding."""
        exposed, values = _exposed(self.network.training_step)
        compared = self._compare(self._sides(exposed), storage, feeds, step)
        producers = exposed.producers
        for name, value in values.items():
            if compared[name].left:
                node = producers[value]
                return Origin(step, node.layer, value.name, node.op.name, compared[name].relative)
        return None

    def _layer(self, name: str) -> str:
        """The layer that a stored tensor belongs to."""
        structure = self.network.structure
        return (interface.layer_of(name) or "") if name in structure.parameters or name in structure.states else ""

    def _sides(self, graph: Graph) -> _Sides:
        other = self._side(self._other, graph)
        reference = self._other.name == reference_name()
        single = other if reference else self._side(reference_backend(), graph)
        return _Sides(self._side(self._judged, graph), other, single, self._side(reference_backend(), graph, "float64"))

    def _side(self, backend: Backend, graph: Graph, precision: Precision = "float32") -> _Side:
        return _Side(backend, graph, self._first(), self._sizes, precision)

    # -- what the steps read ---------------------------------------------------------

    @property
    def _sizes(self) -> dict[str, int]:
        return interface.sizes(self.batch, self._rows)

    def _first(self) -> Arrays:
        """Storage before the first step, of numbers that float32 holds."""
        state = initial_state(self.network, self._seed, self.batch)
        state |= random_examples(self.network.signature, self._rows, self._seed)
        state[interface.SEED] = np.array(interface.seed_words(self._seed), INDEX)
        return {name: _as(np.asarray(array), "float32") for name, array in state.items()}

    def _feeds(self, step: int) -> Arrays:
        rng = np.random.Generator(np.random.Philox(key=[self._seed, step + 2]))
        return {
            interface.INDEX: rng.integers(0, self._rows, (1, self.batch)),
            interface.STEP: np.array([step], INDEX),
            **{name: np.array([rate]) for name, rate in self.network.spec.optimizer.rates().items()},
        }


class _Side:
    """A graph on a backend, over storage of its own."""

    def __init__(
        self,
        backend: Backend,
        graph: Graph,
        storage: Mapping[str, NDArray[Any]],
        sizes: Mapping[str, int],
        precision: Precision,
    ) -> None:
        self._backend, self._precision = backend, precision
        self._storage = {name: backend.to_device(_as(array, precision)) for name, array in storage.items()}
        self._changed = [value.name for value in graph.updates]
        self._executable = backend.load(backend.plan(graph, sizes, precision), self._storage)

    def stored(self) -> Arrays:
        """A copy of all storage."""
        return {name: self._backend.to_host(array) for name, array in self._storage.items()}

    def step(self, feeds: Arrays, storage: Arrays | None = None) -> Arrays:
        """The outputs of one step, NaN where its cost was no finite number, and what it has changed.

        storage: before the step; as it lies there if None.
        """
        for name, array in (storage or {}).items():
            self._backend.copy_into(self._storage[name], _as(array, self._precision))
        result = self._executable.start({n: _as(a, self._precision) for n, a in feeds.items()}, 1).result()
        if result.completed:
            outputs = {name: array[0] for name, array in result.outputs.items()}
        else:
            outputs = {name: np.full(array.shape[1:], np.nan) for name, array in result.outputs.items()}
        return outputs | {name: self._backend.to_host(self._storage[name]) for name in self._changed}


class _Sides(NamedTuple):
    """The two backends, and the reference in float32 and in float64."""

    judged: _Side
    other: _Side
    single: _Side
    exact: _Side


def _as(array: NDArray[Any], precision: Precision) -> NDArray[Any]:
    """Real numbers in that precision; indices and bytes as they are."""
    return array.astype(precision) if array.dtype.kind == "f" else array


def _exposed(graph: Graph) -> tuple[Graph, dict[str, Value]]:
    """The graph with every real number that it computes among its outputs, and these by name, in order.

    Without its guard, for a value that is no number is to be seen, too.
    """
    computed = (v for node in graph.nodes for v in node.outputs if v.type.dtype == "real")
    values = {f"value.{number}": value for number, value in enumerate(computed)}
    return replace(graph, outputs={**graph.outputs, **values}, guard=None), values
