"""The layers that a spec can name."""

from __future__ import annotations

from nnctl.spec.layers.dense import ActivationLayer, Dense, DropConnect
from nnctl.spec.layers.merge import Add, Concatenate
from nnctl.spec.layers.nested import Repeat, Residual
from nnctl.spec.layers.noise import Dropout, GaussianNoise
from nnctl.spec.layers.reshaping import Flatten, Reshape

__all__ = [
    "ActivationLayer",
    "Add",
    "Concatenate",
    "Dense",
    "DropConnect",
    "Dropout",
    "Flatten",
    "GaussianNoise",
    "Repeat",
    "Reshape",
    "Residual",
]
