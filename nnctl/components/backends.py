"""Backends as a spec names them."""

from __future__ import annotations

from typing import Annotated

from nnctl.components.base import Backend
from nnctl.components.fields import PositiveInt
from nnctl.components.registry import register


@register("backend", "auto")
class Auto(Backend):
    """The fastest that this machine has; the run says which and why."""


@register("backend", "numpy")
class Numpy(Backend):
    """The reference interpreter: NumPy, one launch after the other."""


@register("backend", "cpu")
class Cpu(Backend):
    """Each step compiled as one function for this processor, with its BLAS."""

    threads: Annotated[PositiveInt | None, "at most so many; one a core if absent"] = None
