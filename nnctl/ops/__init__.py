"""The op table. Importing this package enters every module of it."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from nnctl.ops.table import OPS

__all__ = ["OPS"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
