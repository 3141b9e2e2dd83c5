"""The reference backend, as specs name it."""

from __future__ import annotations

from typing import Any

from nnctl.components.base import BackendComponent
from nnctl.components.registry import register


@register("backend", "numpy")
class Numpy(BackendComponent):
    """The reference interpreter: NumPy, one launch after the other."""

    reference = True

    def open(self, workers: int | None = None) -> Any:
        """See `BackendComponent`."""
        from nnctl.backends.numpy.backend import NumpyBackend

        return NumpyBackend()
