"""All that trials need of modules, loaded as this one is: by the process that workers are copied from.

None of them starts a thread, which a copy would lack.
"""

from importlib import import_module

from nnctl.backends.registry import load_ahead

# NumPy loads it when labels are counted.
import_module("numpy.ma")
for _name in ("reporting.follow", "sweep.executors.carrying", "sweep.study", "training.kept", "training.session"):
    import_module(f"nnctl.{_name}")
load_ahead()
