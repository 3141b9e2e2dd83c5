"""Arrays on the backend that outlive a step: parameters, optimizer state, layers' states, statistics of the inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.contract import Backend, Placed
from nnctl.errors import RunError
from nnctl.graph import interface
from nnctl.graph.network import Network
from nnctl.plan.dtypes import REAL


class State:
    """The arrays by the names that they have in checkpoints. Each keeps its place: a change is a copy into it.

    trained: everything that training changes, float32 or, of optimizers that run on the host, float64.
    The statistics of the inputs, `data.shift` and `data.scale`, are part of it where the net rescales
    its inputs, those of the targets, `data.target_shift` and `data.target_scale`, where these are rescaled;
    until they are assigned they leave inputs and targets as they are.
    """

    def __init__(self, network: Network, backend: Backend, trained: Mapping[str, NDArray[Any]]) -> None:
        self._network, self._backend = network, backend
        signature = network.signature
        statistics: dict[str, NDArray[Any]] = {}
        if (shape := signature.statistics_shape) is not None:
            statistics |= {interface.SHIFT: np.zeros(shape), interface.SCALE: np.ones(shape)}
        if (shape := signature.target_statistics_shape) is not None:
            statistics |= {interface.TARGET_SHIFT: np.zeros(shape), interface.TARGET_SCALE: np.ones(shape)}
        self._statistics = frozenset(statistics)
        first = {**trained, **{name: array.astype(REAL) for name, array in statistics.items()}}
        self.arrays: dict[str, Placed] = {name: backend.to_device(array) for name, array in first.items()}

    def read(self, names: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
        """Copies by name, of all if None. Raises KeyError for a name that is none of the state's."""
        return {name: self._backend.to_host(self.arrays[name]) for name in (self.arrays if names is None else names)}

    def assign(self, values: Mapping[str, NDArray[Any]]) -> bool:
        """Change arrays to these values; where one does not fit, nothing.

        Returns whether a statistic changed: a loaded plan keeps what it computed of these once.
        Raises RunError for an unknown name, another shape or another dtype.
        """
        if unknown := sorted(set(values) - set(self.arrays)):
            raise RunError(f"the saved state is of another net: missing nothing, unknown {', '.join(unknown)}")
        for name, value in values.items():
            array = self.arrays[name]
            if tuple(array.shape) != value.shape:
                raise RunError(f"{name} is saved with shape {value.shape}, the net has {tuple(array.shape)}")
            if array.dtype != value.dtype:
                raise RunError(f"{name} is saved as {value.dtype}, the net keeps {array.dtype}")
        statistics = self._statistics & set(values)
        changed = any(not np.array_equal(before, values[name]) for name, before in self.read(statistics).items())
        for name, value in values.items():
            self._backend.copy_into(self.arrays[name], value)
        return changed

    def require_all(self, names: Iterable[str]) -> None:
        """Raise RunError where names are not exactly those of the state."""
        given, known = set(names), set(self.arrays)
        if given != known:
            missing, unknown = sorted(known - given), sorted(given - known)
            raise RunError(
                f"the saved state is of another net: missing {', '.join(missing) or 'nothing'}, "
                f"unknown {', '.join(unknown) or 'nothing'}"
            )

    def reset_recurrent(self) -> None:
        """Give recurrent state its first values: sequences begin."""
        for name, state in self._network.structure.recurrent_states.items():
            self._backend.copy_into(self.arrays[name], np.full(self.arrays[name].shape, state.initial, REAL))
