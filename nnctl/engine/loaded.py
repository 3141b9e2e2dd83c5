"""Plans of a net's graphs, loaded over its state and the examples that they read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from weakref import WeakKeyDictionary

from nnctl.backends.contract import Backend, Executable, Placed
from nnctl.engine.chunks import PlacedExamples
from nnctl.engine.memory import require_for_plan
from nnctl.graph import interface
from nnctl.graph.ir import Graph
from nnctl.process.signals import leavable


class LoadedPlans:
    """Executables by examples, graph and size of a batch. They live as long as the examples do."""

    def __init__(self, backend: Backend, storage: Mapping[str, Placed]) -> None:
        self._backend, self._storage = backend, storage
        self._executables: WeakKeyDictionary[PlacedExamples, dict[tuple[str, int], Executable]] = WeakKeyDictionary()

    def of(
        self, graph: Graph, examples: PlacedExamples, batch: int, instead: Mapping[str, Placed] = MappingProxyType({})
    ) -> Executable:
        """The executable that reads these examples. instead: arrays in place of the state's, the same every time."""
        loaded = self._executables.setdefault(examples, {})
        key = (graph.name, batch)
        if key not in loaded:
            # Seconds, where it is compiled; nothing of the run is lost when that is left.
            with leavable():
                plan = self._backend.plan(graph, interface.sizes(batch, examples.rows))
                require_for_plan(plan)
            loaded[key] = self._backend.load(plan, {**self._storage, **examples.arrays, **instead})
        return loaded[key]

    def drop(self) -> None:
        """Load anew what is asked for from now on."""
        self._executables.clear()
