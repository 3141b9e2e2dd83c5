"""The compiled CPU backend, as specs name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Self

from nnctl.backends.installed import installed
from nnctl.components.base import BackendComponent
from nnctl.components.fields import PositiveInt
from nnctl.components.registry import register


@register("backend", "cpu")
class Cpu(BackendComponent):
    """Each kind of launch compiled for this processor, once."""

    example = "{type: cpu, threads: 2}"

    rank = 10
    libraries = ("llvmlite",)
    ahead = "nnctl.backends.cpu.backend"
    measures = shares = True
    threads: Annotated[PositiveInt | None, "at most so many; one a core if absent"] = None

    def obstacle(self) -> str | None:
        """See `BackendComponent`."""
        return None if installed("llvmlite") else "llvmlite is not installed"

    def open(self, workers: int | None = None) -> Any:
        """See `BackendComponent`."""
        from nnctl.backends.cpu.backend import CpuBackend

        return CpuBackend(self.threads or workers)

    def compile_ahead(self, graph: Any, sizes: Mapping[str, int], workers: int | None = None) -> bool:
        """See `BackendComponent`."""
        begun: bool = self.open(workers).compile_ahead(graph, sizes)
        return begun

    def sharing(self, workers: int) -> Self:
        """See `BackendComponent`."""
        return replace(self, threads=workers)
