"""Generated code for people: the listing of a step by the best backend that generates any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nnctl.backends.contract import Planner
from nnctl.backends.registry import available, planner
from nnctl.components.base import BackendComponent
from nnctl.errors import UsageError
from nnctl.graph.ir import Graph


def listing(graph: Graph, sizes: Mapping[str, int], specified: BackendComponent, name: str | None = None) -> str:
    """The code that a backend generates for a graph.

    specified: the spec's backend. name: of the backend; the best that generates code if None. Raises UsageError
    where it generates none, or has none for an op of the graph.
    """
    backends = _generating() if name is None else iter([planner(specified, name)])
    obstacles: list[str] = []
    for backend in backends:
        missing = () if backend.takes_any_op else backend.missing(graph)
        if missing:
            obstacles.append(f"the {backend.name} backend has no compiled code for {', '.join(missing)}")
            continue
        text = backend.listing(backend.plan(graph, sizes))
        if text is not None:
            return text
        if name is not None:
            obstacles.append(f"the {name} backend generates no code")
    raise UsageError("; ".join(obstacles) or "no backend on this machine generates code")


def _generating() -> Iterator[Planner]:
    return (backend for _, backend in available() if not isinstance(backend, str))
