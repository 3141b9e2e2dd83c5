"""The verifier: what every graph must satisfy, behind the passes, and behind each where it is broken."""

from __future__ import annotations

from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops.shapes import TensorType


class GraphError(AssertionError):
    """A graph that no pass may produce: a defect of the compiler, never of a spec."""


def verify(graph: Graph, after: str = "construction", typed: set[Node] | None = None) -> None:
    """Raise GraphError unless every value has one producer that comes before its readers, and types agree.

    typed: nodes that are known to be sound in themselves; those of the graph join them. A node never
    changes, and most of them outlast a pass.
    """
    sound: set[Node] = set() if typed is None else typed

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
        if node not in sound:
            try:
                inferred = node.op.infer([v.type for v in node.inputs], node.attributes)
            except ValueError as error:
                raise defect(f"{node.op.name} of {node.inputs}: {error}") from error
            if inferred != tuple(v.type for v in node.outputs):
                raise defect(f"{node.op.name} of {node.inputs} gives {inferred}, the graph says {node.outputs}")
            for value in node.outputs:
                if value.role != "computed":
                    raise defect(f"{node.op.name} writes the {value.role} {value!r}")
                if node.outputs.count(value) > 1:
                    raise defect(f"{node.op.name} gives {value!r} twice")
            sound.add(node)
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
