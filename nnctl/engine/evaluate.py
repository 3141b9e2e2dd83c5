"""Passes over examples without training: in which batches, and from which recurrent state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.contract import Backend, Placed
from nnctl.data.batches import reading_batches
from nnctl.engine.chunks import PlacedExamples
from nnctl.engine.loaded import LoadedPlans
from nnctl.graph import interface
from nnctl.graph.ir import Graph
from nnctl.graph.network import Network
from nnctl.ops.shapes import resolve
from nnctl.plan.dtypes import REAL
from nnctl.process.together import Work, to_its_end, wait_beside

BATCH = 1000
"""Rows evaluated at once: products large enough to be fast, activations small enough to stay in cache."""


class Passes:
    """Runs a graph over rows of examples.

    Layers that keep recurrent state read the rows on, as `reading_batches` says, from its first values;
    the state that training keeps is another and stays as it is.
    """

    def __init__(self, network: Network, backend: Backend, plans: LoadedPlans) -> None:
        self._network, self._backend, self._plans = network, backend, plans
        self._recurrent: WeakKeyDictionary[PlacedExamples, dict[int, dict[str, Placed]]] = WeakKeyDictionary()

    def parts(self, count: int) -> list[NDArray[np.int64]]:
        """Positions 0…count−1 as they are read: arrays (steps, batch), one behind the other."""
        if self._network.structure.recurrent_states:
            return reading_batches(count)
        positions = np.arange(count, dtype=np.int64)
        whole = count - count % BATCH
        parts = [positions[:whole].reshape(-1, BATCH), positions[whole:].reshape(1, -1)]
        return [part for part in parts if part.size]

    def run(self, graph: Graph, examples: PlacedExamples, rows: NDArray[Any]) -> Work[list[dict[str, NDArray[Any]]]]:
        """The graph's outputs over rows (n,) of the examples, of each of `parts`: (steps, *shape) by name."""
        outputs = []
        before: Mapping[str, Placed] | None = None
        for part in self.parts(len(rows)):
            steps, batch = part.shape
            recurrent = self._begin(examples, batch, before)
            executable = self._plans.of(graph, examples, batch, recurrent)
            pending = executable.start({interface.INDEX: rows[part]}, steps)
            outputs.append((yield from wait_beside(pending.result)).outputs)
            before = recurrent
        return outputs

    def outputs(self, examples: PlacedExamples) -> NDArray[Any]:
        """The net's output for every example, (rows, *shape), float32."""
        rows = np.arange(examples.rows, dtype=np.int64)
        parts = to_its_end(self.run(self._network.prediction, examples, rows))
        stacked = [part[interface.OUTPUT].reshape(-1, *part[interface.OUTPUT].shape[2:]) for part in parts]
        if not stacked:
            return np.zeros((0, *resolve(self._network.structure.output_shape[1:], {})), REAL)
        outputs = np.concatenate(stacked)
        ordered = np.empty_like(outputs)
        ordered[np.concatenate([part.reshape(-1) for part in self.parts(examples.rows)])] = outputs
        return ordered

    def _begin(self, examples: PlacedExamples, batch: int, before: Mapping[str, Placed] | None) -> Mapping[str, Placed]:
        """Recurrent state of a batch: its first values, or what the first rows of the part before ended with."""
        arrays: dict[str, NDArray[Any]] = {}
        for name, state in self._network.structure.recurrent_states.items():
            if before is None:
                arrays[name] = np.full(resolve(state.value.shape, interface.sizes(batch)), state.initial, REAL)
            else:
                arrays[name] = self._backend.to_host(before[name])[:batch]
        kept = self._recurrent.setdefault(examples, {})
        if batch not in kept:
            kept[batch] = {name: self._backend.to_device(array) for name, array in arrays.items()}
        for name, array in arrays.items():
            self._backend.copy_into(kept[batch][name], array)
        return kept[batch]
