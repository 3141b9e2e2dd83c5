"""Which backend runs: what the spec asks for, or the fastest that this machine has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from nnctl.backends.contract import Backend
from nnctl.backends.numpy import NumpyBackend
from nnctl.errors import UsageError
from nnctl.graph.ir import Graph


@dataclass(frozen=True)
class Choice:
    """A backend and the reason for it, as the run tells the user."""

    backend: Backend
    reason: str


def choose_backend(name: str, graphs: Sequence[Graph], threads: int | None = None) -> Choice:
    """The backend that specs call `name`, for a net whose steps are `graphs`.

    threads: of a backend that divides its work, at most; one a core if None.
    Raises UsageError where there is none of that name, or where it cannot run the net.
    """
    if name == "numpy":
        return Choice(NumpyBackend(), "as asked for")
    if name not in ("auto", "cpu"):
        raise UsageError(f"there is no backend {name!r}: choose auto, cpu or numpy")
    obstacle = _obstacle(graphs)
    if obstacle is None:
        from nnctl.backends.cpu.backend import CpuBackend

        backend = CpuBackend(threads)
        reason = "as asked for" if name == "cpu" else "the fastest on this machine"
        return Choice(backend, f"{reason}, {backend.resources.words}")
    if name == "cpu":
        raise UsageError(f"the cpu backend cannot run this net: {obstacle}\n  use backend numpy, or auto")
    return Choice(NumpyBackend(), obstacle)


def _obstacle(graphs: Sequence[Graph]) -> str | None:
    """Why the compiled CPU backend cannot run the graphs; None if it can."""
    if find_spec("numba") is None:
        return "Numba is not installed"
    from nnctl.backends.cpu.codegen.source import unsupported

    missing = sorted({name for graph in graphs for name in unsupported(graph)})
    return f"no compiled code for {', '.join(missing)}" if missing else None
