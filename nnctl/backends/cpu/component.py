"""The compiled CPU backend, as specs name it."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Self

from nnctl.components.base import BackendComponent
from nnctl.components.fields import PositiveInt
from nnctl.components.registry import register

_NUMBA_SETTINGS = ".numba_config.yaml"
"""A file that Numba obeys where it lies in the working folder; no key of compiled code knows of it."""


@register("backend", "cpu")
class Cpu(BackendComponent):
    """Each step compiled as one function for this processor, with its BLAS."""

    example = "{type: cpu, threads: 2}"

    rank = 10
    libraries = ("numba", "llvmlite")
    threads: Annotated[PositiveInt | None, "at most so many; one a core if absent"] = None

    def obstacle(self) -> str | None:
        """See `BackendComponent`."""
        if Path(_NUMBA_SETTINGS).is_file():
            return f"the file {_NUMBA_SETTINGS} in this folder would change how Numba compiles; work in another folder"
        return "Numba is not installed" if find_spec("numba") is None else None

    def open(self, workers: int | None = None) -> Any:
        """See `BackendComponent`."""
        from nnctl.backends.cpu.backend import CpuBackend

        return CpuBackend(self.threads or workers)

    def sharing(self, workers: int) -> Self:
        """See `BackendComponent`."""
        return replace(self, threads=workers)
