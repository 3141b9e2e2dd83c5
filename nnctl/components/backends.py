"""The backend of a spec that names none; every other lives in the folder of its executor."""

from __future__ import annotations

from nnctl.components.base import BackendComponent
from nnctl.components.registry import register


@register("backend", "auto")
class Auto(BackendComponent):
    """The fastest that this machine has; the run says which and why."""
