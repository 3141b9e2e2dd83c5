"""Graphs computed value by value on the host, for whoever looks at every tensor and not only at the results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nnctl.graph.ir import Graph, Node, Value
from nnctl.late import dataclass
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.shapes import resolve


@dataclass(frozen=True, eq=False)
class Computed:
    """A value of a graph and its array. node: that computed it, None for an input."""

    value: Value
    array: NDArray[Any]
    node: Node | None = None

    @property
    def finite(self) -> bool:
        """True where no element is infinite or not a number."""
        return bool(np.all(np.isfinite(self.array)))


def evaluate(
    graph: Graph, given: Mapping[str, Any], sizes: Mapping[str, int], real: DTypeLike = np.float64
) -> Iterator[Computed]:
    """Every value in order of execution, the inputs first.

    given: arrays by input name, stored and fed alike. sizes: of the symbolic axes.
    real: the precision of real numbers; each value is rounded to it. Nothing is
    computed that is not asked for: a caller may stop at any value. Raises KeyError
    for an input that is not given.
    """
    xp = numpy_namespace()
    precision = np.dtype(real)
    values: dict[Value, NDArray[Any]] = {}
    for value in graph.inputs:
        values[value] = np.asarray(given[value.name], precision if value.type.dtype == "real" else None)
        yield Computed(value, values[value])
    for node in graph.nodes:
        attributes = {name: resolve(attribute, sizes) for name, attribute in node.attributes.items()}
        # Overflow is what callers look for. Around a yield it would hold in the caller too.
        with np.errstate(all="ignore"):
            results = [np.asarray(r) for r in node.op.run(xp, [values[v] for v in node.inputs], attributes)]
            rounded = [r.astype(precision, copy=False) if r.dtype.kind == "f" else r for r in results]
        for value, array in zip(node.outputs, rounded, strict=True):
            values[value] = array
        for value in node.outputs:
            yield Computed(value, values[value], node)
