"""The backends under test: every one that is registered, divided among one to three threads where it divides a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from backends import toy
from backends.cuda.emulator import EmulatedDevice, compiler
from backends.cuda.persistent_ways import persistent_way
from nnctl.backends.contract import Backend, Executable
from nnctl.backends.cpu.backend import CpuBackend
from nnctl.backends.cpu.executable import CompiledStep
from nnctl.backends.cpu.ways import Choice, Way
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.component import Cuda
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.persistent.choice import Grid, complete
from nnctl.backends.registry import available, by_rank
from nnctl.plan.plan import Plan


class ExactlyThreads(CpuBackend):
    """The compiled backend with so many threads also where the step is too small to be worth them."""

    def load(self, plan: Plan, storage: Mapping[str, Any]) -> CompiledStep:
        return CompiledStep(plan, storage, Choice(Way(self.threads)))


class Persistent(CudaBackend):
    """The CUDA backend with a persistent kernel of three blocks for every training step that can have one."""

    def load(self, plan: Plan, storage: Mapping[str, Any]) -> Executable:
        captured = super().load(plan, storage)
        calls = calls_of(plan)
        if plan.guard is None or not complete(calls):
            return captured
        return persistent_way(plan, calls, Grid(3)).steps(storage, self.device)


def _under_test() -> Iterator[tuple[str, Backend]]:
    for cls, opened in available():
        if isinstance(opened, str):
            continue
        shared = {cls().sharing(n): n for n in (1, 2, 3)}
        for component, n in shared.items():
            backend: Backend = component.open()
            exact = isinstance(backend, CpuBackend)
            yield (f"{cls.type}, {n} at most" if len(shared) > 1 else cls.type), ExactlyThreads(n) if exact else backend
    if compiler() is not None:
        yield "cuda, emulated", CudaBackend(EmulatedDevice())
        yield "cuda, persistent", Persistent(EmulatedDevice(1))


with toy.registered():
    BACKENDS: dict[str, Backend] = dict(_under_test())


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    yield from under_test(request.param)


def under_test(name: str) -> Iterator[Backend]:
    """A backend in a time in which specs may name it."""
    found = BACKENDS[name]
    if isinstance(found, CudaBackend):
        with emulated(found):
            yield found
    elif found.name in {cls.type for cls in by_rank()}:
        yield found
    else:
        with toy.registered():
            yield found


@contextmanager
def emulated(backend: CudaBackend) -> Iterator[None]:
    """A time in which the component `cuda` opens such a backend, as if its device were this machine's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cuda, "obstacle", lambda self: None)
        patch.setattr(Cuda, "open", lambda self, workers=None: type(backend)(backend.device))
        yield
