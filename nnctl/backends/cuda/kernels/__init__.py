"""The kernels: a file of device functions beside the emitters that call them. Importing this enters them all."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from nnctl.backends.cuda.calls import EMITTERS

__all__ = ["EMITTERS"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
