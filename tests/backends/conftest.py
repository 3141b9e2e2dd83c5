"""The backends under test: a new one joins the list, and every contract test runs on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from nnctl.backends.contract import Backend
from nnctl.backends.cpu.backend import CpuBackend, Executable
from nnctl.backends.numpy import NumpyBackend
from nnctl.plan.plan import Plan


class ExactlyThreads(CpuBackend):
    """The compiled backend with so many threads also where the step is too small to be worth them."""

    def load(self, plan: Plan, storage: Mapping[str, Any]) -> Executable:
        super().load(plan, storage)
        return Executable(plan, storage, self.threads)


BACKENDS: dict[str, Backend] = {
    "numpy": NumpyBackend(),
    "cpu, 1 thread": ExactlyThreads(1),
    "cpu, 2 threads": ExactlyThreads(2),
    "cpu, 3 threads": ExactlyThreads(3),
}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param]
