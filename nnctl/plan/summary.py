"""A net layer by layer: shapes, parameters, and what a training step costs."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from nnctl.graph import interface
from nnctl.graph.layers import BuiltLayer
from nnctl.graph.network import Network
from nnctl.ops.shapes import BATCH, Shape, show
from nnctl.plan.dtypes import element
from nnctl.plan.lower import lower


def summarize(network: Network, batch: int) -> list[dict[str, Any]]:
    """One row a layer and a last one for the whole step.

    parameters: trained numbers. flops: arithmetic operations of one training step on a
    batch of `batch`, forward, backward and update. bytes: of the parameters and the
    optimizer's state, in float32; in the last row the step's scratch memory too.
    """
    plan = lower(network.training_step, interface.sizes(batch, batch))
    structure = network.structure
    arrays = 1 + len(network.spec.optimizer.state())
    parameters_of, flops_of = Counter[str](), Counter[str]()
    for parameter in structure.parameters.values():
        parameters_of[_root(parameter.layer)] += math.prod(parameter.shape)
    for launch in plan.launches:
        flops_of[_root(launch.layer)] += launch.flops
    rows: list[dict[str, Any]] = []
    layers = [*_embedded(network), *structure.layers]
    for layer in layers:
        parameters = parameters_of[layer.path]
        rows.append(
            {
                "layer": layer.path,
                "type": layer.type,
                "input": show(layer.input_shape),
                "output": show(layer.output_shape),
                "parameters": parameters,
                "flops": flops_of[layer.path],
                "bytes": element("real").bytes * parameters * arrays,
            }
        )
    total = {key: sum(row[key] for row in rows) for key in ("parameters", "bytes")}
    rows.append(
        {
            "layer": "(all)",
            "type": f"batch of {batch}",
            "input": rows[0]["input"],
            "output": rows[-1]["output"],
            "parameters": total["parameters"],
            "flops": plan.flops,
            "bytes": total["bytes"] + plan.arena_bytes,
        }
    )
    return rows


def _embedded(network: Network) -> list[BuiltLayer]:
    """The vectors of embedded columns as if they were a layer, where there are any."""
    signature = network.signature
    if not signature.embedded:
        return []
    before: Shape = (BATCH, *signature.input_shape)
    after: Shape = (BATCH, *signature.entering_shape)
    return [BuiltLayer(interface.COLUMNS, "embedding", before, after)]


def _root(layer: str) -> str:
    """The name of the layer of the spec's list that a layer is, or is part of."""
    return layer.partition(".")[0]
