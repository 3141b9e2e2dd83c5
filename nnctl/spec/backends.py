"""What a spec may say about where its plan runs."""

from __future__ import annotations

from nnctl.spec.components import Backend
from nnctl.spec.registry import register


@register("backend", "auto")
class Auto(Backend):
    """The fastest that this machine has; the run says which and why."""


@register("backend", "numpy")
class Numpy(Backend):
    """The reference interpreter: NumPy, one launch after the other."""
