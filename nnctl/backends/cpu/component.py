"""The compiled CPU backend, as specs name it."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import Annotated, Any, Self

from nnctl.components.base import BackendComponent
from nnctl.components.fields import PositiveInt
from nnctl.components.registry import register


@register("backend", "cpu")
class Cpu(BackendComponent):
    """Each step compiled as one function for this processor, with its BLAS."""

    example = "{type: cpu, threads: 2}"

    rank = 10
    threads: Annotated[PositiveInt | None, "at most so many; one a core if absent"] = None

    def obstacle(self) -> str | None:
        """See `BackendComponent`."""
        return "Numba is not installed" if find_spec("numba") is None else None

    def open(self, workers: int | None = None) -> Any:
        """See `BackendComponent`."""
        from nnctl.backends.cpu.backend import CpuBackend

        return CpuBackend(self.threads or workers)

    def sharing(self, workers: int) -> Self:
        """See `BackendComponent`."""
        return replace(self, threads=workers)
