"""Data sources, a file a subject. Importing this package registers every module of it, and what sources name."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from nnctl.data import augmentations, columns, transforms

__all__ = ["augmentations", "columns", "transforms"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
