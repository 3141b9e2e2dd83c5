"""The layers that a spec can name."""

from __future__ import annotations

from nnctl.spec.layers.convolution import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d
from nnctl.spec.layers.dense import ActivationLayer, Dense, DropConnect
from nnctl.spec.layers.gated import Gru, Lstm
from nnctl.spec.layers.indices import Embedding, Mask, OneHot
from nnctl.spec.layers.merge import Add, Concatenate
from nnctl.spec.layers.nested import Repeat, Residual
from nnctl.spec.layers.noise import Dropout, GaussianNoise
from nnctl.spec.layers.normalization import BatchNorm, LayerNorm
from nnctl.spec.layers.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, L2Pool, MaxPool, Upsample
from nnctl.spec.layers.recurrent import Rnn
from nnctl.spec.layers.reservoir import EchoState
from nnctl.spec.layers.reshaping import Flatten, Reshape

__all__ = [
    "ActivationLayer",
    "Add",
    "AveragePool",
    "BatchNorm",
    "Concatenate",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "Dense",
    "DropConnect",
    "Dropout",
    "EchoState",
    "Embedding",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Gru",
    "L2Pool",
    "LayerNorm",
    "Lstm",
    "Mask",
    "MaxPool",
    "OneHot",
    "Repeat",
    "Reshape",
    "Residual",
    "Rnn",
    "Upsample",
]
