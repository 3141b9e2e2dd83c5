"""The registry of backends: opens one by its name, or says in one sentence why it cannot.

A sub-package with a module `component` is a backend of ours; importing this module registers them all,
which loads no executor. Packages add theirs by the entry-point group `nnctl.components`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import nnctl.backends
from nnctl.components.backends import Auto
from nnctl.components.base import BackendComponent
from nnctl.components.registry import components, not_loaded
from nnctl.errors import DeviceError, UsageError
from nnctl.late import dataclass
from nnctl.spec.messages.hints import did_you_mean
from nnctl.spec.messages.synonyms import suggest

if TYPE_CHECKING:
    from nnctl.backends.contract import Backend, Planner
    from nnctl.graph.ir import Graph


@dataclass(frozen=True)
class ChosenBackend:
    """A backend and the reason for it, as the run tells the user."""

    backend: Backend
    reason: str


def choose_backend(
    specified: BackendComponent, graphs: Sequence[Graph], *, name: str | None = None, workers: int | None = None
) -> ChosenBackend:
    """The backend for a net whose steps are `graphs`.

    specified: the spec's. name: of another that goes before it. workers: see `BackendComponent.open`. Raises UsageError
    where there is none of that name, or where it cannot run the net.
    """
    component = _named(specified, name or specified.type)
    if isinstance(component, Auto):
        return _best(specified, graphs, workers)
    found = _opened(component, graphs, workers)
    if isinstance(found, str):
        raise UsageError(
            f"the {component.type} backend cannot run this net: {found}\n"
            f"  --backend auto takes the fastest that can, or name {reference_name()}"
        )
    return ChosenBackend(found, _reason("as asked for", found))


def why_not(specified: BackendComponent, name: str) -> str | None:
    """The reason why this machine cannot run a backend of that name; None if it can.

    specified: the spec's, which counts where it has that name.
    """
    try:
        found = _opened(_named(specified, name), (), None)
    except UsageError as error:
        return str(error).splitlines()[0]
    return found if isinstance(found, str) else None


def likely(specified: BackendComponent, name: str | None = None) -> BackendComponent:
    """The backend that a spec will most likely run on: of `auto` the first with no obstacle here. None is opened.

    name: see `choose_backend`.
    """
    component = _named(specified, name or specified.type)
    if not isinstance(component, Auto):
        return component
    return next(found for found in (cls() for cls in by_rank()) if found.obstacle() is None)


def planner(specified: BackendComponent, name: str) -> Planner:
    """The planner of a backend by its name, whether this machine can run it or not.

    specified: the spec's, which counts where it has that name; of `auto` it is the best that this machine can run.
    Raises UsageError where there is none of that name.
    """
    component = _named(specified, name)
    if isinstance(component, Auto):
        return _best(specified, (), None).backend
    found: Planner = component.planner()
    return found


def reference_name() -> str:
    """The name of the backend that judges all others, which imports the least."""
    return _reference().type


def reference_backend() -> Backend:
    """The backend that judges all others. It runs every net, over NumPy arrays where they lie."""
    opened: Backend = _reference()().open()
    return opened


def by_rank() -> tuple[type[BackendComponent], ...]:
    """Every registered backend, best first, each by its own name alone."""
    known = components("backend").values()
    found: list[type[BackendComponent]] = [cls for cls in known if cls is not Auto and not cls.same_as]
    return tuple(sorted(found, key=lambda cls: (-cls.rank, cls.type)))


def load_ahead() -> None:
    """Load executors that may be loaded before anybody asks for one: none is opened, and no machine is looked at."""
    for cls in by_rank():
        if cls.ahead and cls().obstacle() is None:
            import_module(cls.ahead)


def available() -> Iterator[tuple[type[BackendComponent], Backend | str]]:
    """Every registered backend, best first: opened, or the reason why it cannot be."""
    for cls in by_rank():
        component = cls()
        yield cls, _opened(component, (), None)


def _named(specified: BackendComponent, name: str) -> BackendComponent:
    """The component of that name; the spec's own, with its fields, where it has it, or another name of the same."""
    if name in (specified.type, specified.same_as):
        return specified
    known = components("backend")
    if name not in known:
        *others, last = known
        there_are = f"there is no backend {name!r}: choose {', '.join(others)} or {last}"
        close = did_you_mean(suggest(name, known))
        raise UsageError("\n  ".join((there_are, *([close] if close else ()), *not_loaded())))
    found: type[BackendComponent] = known[name]
    return specified if found.same_as == specified.type else found()


def _best(specified: BackendComponent, graphs: Sequence[Graph], workers: int | None) -> ChosenBackend:
    obstacles: list[str] = []
    for cls in by_rank():
        component = _named(specified, cls.type)
        found = _opened(component, graphs, workers)
        if not isinstance(found, str):
            why = _reason("the fastest that can run here" if obstacles else "the fastest on this machine", found)
            return ChosenBackend(found, "; ".join((why, *obstacles)))
        if component.suits_machine():
            obstacles.append(f"not {component.type}: {found}")
    raise UsageError(f"no backend can run this net: {'; '.join(obstacles)}")


def _opened(component: BackendComponent, graphs: Sequence[Graph], workers: int | None) -> Backend | str:
    """The executor, or the reason why it cannot run the graphs."""
    obstacle = component.obstacle()
    if obstacle is not None:
        return obstacle
    try:
        backend: Backend = component.open(workers)
    except DeviceError as error:
        return "; ".join(line.strip() for line in str(error).splitlines())
    missing = sorted({name for graph in graphs for name in backend.missing(graph)})
    if missing and not backend.takes_any_op:
        return f"no compiled code for {', '.join(missing)}"
    return backend


def _reason(why: str, backend: Backend) -> str:
    return f"{why}, {backend.resources.words}" if backend.resources.words else why


def _reference() -> type[BackendComponent]:
    (cls,) = (cls for cls in by_rank() if cls.reference)
    return cls


for _module in pkgutil.iter_modules(nnctl.backends.__path__, "nnctl.backends."):
    if _module.ispkg and find_spec(f"{_module.name}.component") is not None:
        import_module(f"{_module.name}.component")
