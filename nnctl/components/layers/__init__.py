"""The layers that a spec can name."""

from __future__ import annotations

from nnctl.components.layers.convolution import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d
from nnctl.components.layers.dense import ActivationLayer, Dense, DropConnect
from nnctl.components.layers.gated import Gru, Lstm
from nnctl.components.layers.indices import Embedding, Mask, OneHot
from nnctl.components.layers.merge import Add, Concatenate
from nnctl.components.layers.nested import Repeat, Residual
from nnctl.components.layers.noise import Dropout, GaussianNoise
from nnctl.components.layers.normalization import BatchNorm, LayerNorm
from nnctl.components.layers.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, L2Pool, MaxPool, Upsample
from nnctl.components.layers.recurrent import Rnn
from nnctl.components.layers.reservoir import EchoState
from nnctl.components.layers.reshaping import Flatten, Reshape

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
