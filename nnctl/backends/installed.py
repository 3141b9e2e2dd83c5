"""Libraries that backends stand on, as they are installed."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec


@cache
def installed(module: str) -> bool:
    """True where a module can be found. Looked for once: every trial of a sweep asks."""
    return find_spec(module) is not None
