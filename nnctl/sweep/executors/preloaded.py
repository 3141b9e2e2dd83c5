"""All that trials need of modules, loaded as this one is: by the process that workers are copied from.

None of them starts a thread, which a copy would lack.
"""

import gc
from importlib import import_module

_MODULES = (
    "nnctl.data.formats.array_examples",
    "nnctl.data.formats.numpy_files",
    "nnctl.process.refusals",
    "nnctl.reporting.follow",
    "nnctl.sweep.executors.worker",
    "nnctl.sweep.trial",
    "nnctl.training.kept",
    "nnctl.training.session",
)


def _load() -> None:
    """Load them, and set what they are made of apart from what the garbage collector looks at.

    Modules stay: to look for garbage among them takes time, here and in each copy, and a look writes to memory that
    copies else share.
    """
    gc.disable()
    try:
        for name in _MODULES:
            import_module(name)
        from nnctl.backends.blas import limit_blas_threads
        from nnctl.backends.registry import load_ahead

        load_ahead()
        # Each backend asks for it as it is opened: the libraries that it is about are known by then.
        limit_blas_threads()
    finally:
        gc.freeze()
        gc.enable()


_load()
