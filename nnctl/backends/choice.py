"""Which backend runs: what the spec asks for, or the fastest that this machine has."""

from __future__ import annotations

from dataclasses import dataclass

from nnctl.backends.contract import Backend
from nnctl.backends.numpy import NumpyBackend
from nnctl.errors import UsageError


@dataclass(frozen=True)
class Choice:
    """A backend and the reason for it, as the run tells the user."""

    backend: Backend
    reason: str


def choose_backend(name: str) -> Choice:
    """The backend that specs call `name`. Raises UsageError where there is none of that name."""
    match name:
        case "numpy":
            return Choice(NumpyBackend(), "as asked for")
        case "auto":
            return Choice(NumpyBackend(), "the reference interpreter, the only backend of this version")
    raise UsageError(f"there is no backend {name!r}: choose auto or numpy")
