"""The verifier: what every graph must satisfy, behind the passes, and behind each where it is broken."""

from __future__ import annotations

from nnctl.graph.ir import Graph, Value
from nnctl.ops.shapes import TensorType


class GraphError(AssertionError):
    """A graph that no pass may produce: a defect of the compiler, never of a spec."""


def verify(graph: Graph, after: str = "construction") -> None:
    """Raise GraphError unless every value has one producer that comes before its readers, and types agree."""

    def defect(message: str) -> GraphError:
        return GraphError(f"graph {graph.name!r} after {after}: {message}")

    known: set[Value] = set(graph.inputs)
    names: set[str] = set()
    for value in known:
        if value.name in names:
            raise defect(f"two inputs are called {value.name!r}")
        names.add(value.name)
    for node in graph.nodes:
        if not known.issuperset(node.inputs):
            early = next(v for v in node.inputs if v not in known)
            raise defect(f"{node.op.name} reads {early!r} before it is computed")
        if not node.sound and (fault := node.defect()) is not None:
            raise defect(fault)
        if not known.isdisjoint(node.outputs):
            again = next(v for v in node.outputs if v in known)
            raise defect(f"{again!r} is computed twice")
        known.update(node.outputs)
    for value in graph.results:
        if value not in known:
            raise defect(f"result {value!r} is never computed")
    for old, new in graph.updates.items():
        if old.role not in ("parameter", "optimizer state", "state"):
            raise defect(f"the {old.role} {old!r} may not be updated")
        if new.role != "computed":
            raise defect(f"the new {old!r} is the {new.role} {new!r}: updates are computed")
        if old.type != new.type:
            raise defect(f"update of {old!r} has type {new.type}")
    if graph.guard is not None and graph.guard.type != TensorType(()):
        raise defect(f"the guard {graph.guard!r} is no real number")
