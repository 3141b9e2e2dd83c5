"""First values: each parameter's are those of a generator of its own."""

from __future__ import annotations

import zlib

import numpy as np
from graph.nets import net

from nnctl.components.initializers import Normal
from nnctl.components.signature import DataSignature
from nnctl.engine.initial import initial_state
from nnctl.graph.network import Network


def test_first_values_are_of_a_generator_for_each_parameter() -> None:
    text = "layers: [{type: dense, units: 3}, {type: dense, units: 5}]\ncost: quadratic\ninitializer: normal\n"
    network = Network(net(text), DataSignature((4,), "real", None, (5,)))
    state = initial_state(network, -7)
    for name in ("dense1.weight", "dense2.weight"):
        key = np.array([-7 & 0xFFFFFFFFFFFFFFFF, zlib.crc32(name.encode())], np.uint64)
        alone = np.random.Generator(np.random.Philox(key=key))
        parameter = network.structure.parameters[name]
        drawn = Normal().draw(alone, parameter.shape, *parameter.fans)
        np.testing.assert_array_equal(state[name], drawn)
