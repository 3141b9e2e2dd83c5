"""The reference backend: plans interpreted with NumPy."""

from nnctl.backends.numpy.interpreter import NumpyBackend

__all__ = ["NumpyBackend"]
