"""Plans of a net's graphs, loaded over its state and the examples that they read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from weakref import WeakKeyDictionary

from nnctl.backends.contract import Backend, Executable, Placed
from nnctl.engine.chunks import PlacedExamples
from nnctl.engine.kept import PlannedNet
from nnctl.engine.memory import contents, require_for_plan
from nnctl.errors import DeviceFull
from nnctl.graph import interface
from nnctl.graph.ir import Graph
from nnctl.plan.plan import Plan
from nnctl.process.memory import in_bytes
from nnctl.process.signals import leavable

_SLOW = 1e9
"""FLOP/s that any step reaches on any processor."""
_SLOW_LAUNCH = 5e-5
"""Seconds that a launch takes beside its operations, where it is a call from Python."""


class LoadedPlans:
    """Executables by examples, graph and size of a batch. They live as long as the examples do."""

    def __init__(self, net: PlannedNet, backend: Backend, storage: Mapping[str, Placed]) -> None:
        self._net, self._backend, self._storage = net, backend, storage
        self._executables: WeakKeyDictionary[PlacedExamples, dict[tuple[str, int], Executable]] = WeakKeyDictionary()

    def of(
        self, graph: Graph, examples: PlacedExamples, batch: int, instead: Mapping[str, Placed] = MappingProxyType({})
    ) -> Executable:
        """The executable that reads these examples. instead: arrays in place of the state's, the same every time."""
        loaded = self._executables.setdefault(examples, {})
        key = (graph.name, batch)
        if key not in loaded:

            def planned(size: int) -> Plan:
                return self._net.plan(self._backend, graph, interface.sizes(size, examples.rows))

            def arena_of(size: int) -> int:
                return planned(size).arena_bytes

            # Seconds, where it is compiled; nothing of the run is lost when that is left.
            with leavable():
                plan = planned(batch)
                require_for_plan(plan, self._backend.memory_left, arena_of)
            try:
                loaded[key] = self._backend.load(plan, {**self._storage, **examples.arrays, **instead})
            except DeviceFull as error:
                fits = contents(plan, self._backend.memory_left(), arena_of)
                arena = f"a step of {plan.batch:,} examples takes {in_bytes(plan.arena_bytes)} of scratch memory"
                raise DeviceFull(f"{error}\n  {arena}; {fits}") from error
        return loaded[key]

    def longest_step(self, graph: Graph, examples: PlacedExamples, batch: int) -> float:
        """Seconds that a step of a graph takes at most, or hardly more, on any backend and any machine; above 0."""
        plan = self._net.plan(self._backend, graph, interface.sizes(batch, examples.rows))
        return plan.flops / _SLOW + (1 + len(plan.launches)) * _SLOW_LAUNCH

    def drop(self) -> None:
        """Load anew what is asked for from now on."""
        self._executables.clear()
