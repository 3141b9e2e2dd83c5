"""The kernels of structured ops, a file a subject: functions, the emitters that call them, their scratch.

Importing this package enters every module in it; nothing lists them.
"""

from importlib import import_module
from pkgutil import iter_modules

from nnctl.backends.cpu.codegen.registration import EMITTERS

__all__ = ["EMITTERS"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
