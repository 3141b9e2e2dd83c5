"""nnctl: a declarative spec becomes a trained neural network."""

__version__ = "0.1.0"

# What there is in Python is told to type checkers by __init__.pyi. It is loaded when first asked for, so that the
# command line starts without it.
_API = (
    "Evaluated", "Event", "Finished", "Progress", "Run", "SpecText", "Started", "Tested", "load_run", "train",
)  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _API:
        raise AttributeError(f"module 'nnctl' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("nnctl.api"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_API])
