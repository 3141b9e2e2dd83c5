"""First values of everything that training changes."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.initializers import default_initializer
from nnctl.graph import interface
from nnctl.graph.arrays import Parameter
from nnctl.graph.network import Network
from nnctl.ops.shapes import resolve


def initial_state(network: Network, seed: int, batch: int = 1) -> dict[str, NDArray[Any]]:
    """Parameters, optimizer state and layers' states by name, float64.

    batch: the training batch size, for states with an entry for each example.

    Each parameter has a generator of its own, keyed by (seed, its name), so
    that a layer added to the net changes no other layer's first values.
    """
    state: dict[str, NDArray[Any]] = {}
    structure = network.structure
    bits = np.random.Philox(0)
    rng, unused = np.random.Generator(bits), bits.state
    for name, parameter in structure.parameters.items():
        key = np.array([seed & 0xFFFFFFFFFFFFFFFF, zlib.crc32(name.encode())], np.uint64)
        # As of a new generator with this key, which would first ask the system for randomness.
        bits.state = {**unused, "state": {"counter": np.zeros(4, np.uint64), "key": key}}
        state[name] = _initializer(network, parameter).draw(rng, parameter.shape, *parameter.fans)
    for name, (parameter, first) in structure.optimizer_state.items():
        state[name] = np.full(parameter.shape, first)
    for name, kept in structure.states.items():
        state[name] = np.full(resolve(kept.value.shape, interface.sizes(batch)), kept.initial)
    return state


def _initializer(network: Network, parameter: Parameter) -> Any:
    spec = network.spec
    of_kind = spec.initializer if parameter.kind == "weight" else spec.bias_initializer
    named = parameter.initializer or of_kind or parameter.default
    return named or default_initializer(spec.convention, parameter.kind)
