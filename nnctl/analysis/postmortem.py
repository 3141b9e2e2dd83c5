"""After a cost that is not a number: which tensor stopped being finite first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.engine.chunks import Examples
from nnctl.engine.engine import Engine
from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.shapes import resolve


def diagnose(
    engine: Engine, examples: Examples, indices: NDArray[Any], scheduled: Mapping[str, float], step: int
) -> str:
    """Words on the first tensor of a training step that is not finite: its layer, name, where, how many.

    indices: rows (batch,) of the examples. The engine's state is that before the step.
    """
    feeds: dict[str, Any] = {"index": indices, "step": step, **scheduled}
    return first_non_finite(engine.network.unfused_training_step, engine.storage_on_host(examples), feeds, step)


def first_non_finite(graph: Graph, storage: Mapping[str, NDArray[Any]], feeds: Mapping[str, Any], step: int) -> str:
    """Run the step's graph up to its guard, value by value, and say where it broke.

    storage: parameters, data and the like, as they were before the step.
    """
    xp = numpy_namespace()
    values: dict[Value, Any] = {}
    for value in graph.inputs:
        found = feeds[value.name] if value.role == "feed" else storage[value.name]
        values[value] = np.asarray(found, np.float32 if value.type.dtype == "real" else None)
        if value.role != "data" and not np.all(np.isfinite(values[value])):
            return _words(f"the {value.role} {value.name}", "before", step, values[value])
    sizes = {"batch": len(values[_named(graph, "index")]), "rows": 0}
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            attributes = {k: resolve(v, sizes) for k, v in node.attributes.items()}
            outputs = node.op.run(xp, [values[v] for v in node.inputs], attributes)
            for value, output in zip(node.outputs, outputs, strict=True):
                array = np.asarray(output)
                values[value] = array.astype(np.float32) if array.dtype == np.float64 else array
                if not np.all(np.isfinite(values[value])):
                    return _words(_node(node, value), "at", step, values[value])
            if graph.guard in node.outputs:
                break
    return f"the cost is not finite at step {step}, and each tensor computed again by itself is finite"


def _named(graph: Graph, name: str) -> Value:
    return next(v for v in graph.inputs if v.name == name)


def _node(node: Node, value: Value) -> str:
    where = f" in layer {node.layer}" if node.layer else ""
    return f"{value.name} (the output of {node.op.name}{where})"


def _words(what: str, when: str, step: int, array: NDArray[Any]) -> str:
    broken = ~np.isfinite(array)
    first = tuple(int(i) for i in np.argwhere(broken)[0])
    return (
        f"{what} is not finite {when} step {step}: {int(broken.sum())} of {array.size} values, "
        f"the first is {array[first]} at {list(first)}"
    )
