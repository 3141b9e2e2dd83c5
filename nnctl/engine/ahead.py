"""Code of deep nets, compiled while they are planned: a shallower net of the same layers has the same launches."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from nnctl.backends.cache.store import found_bytes, keep_bytes
from nnctl.backends.registry import likely
from nnctl.components.base import Layer
from nnctl.engine.kept import key_of
from nnctl.errors import ShapeError
from nnctl.graph import interface
from nnctl.graph.network import Network

_COPIES = 4
"""Copies of a layer, at most: the first, the last, and two in between, which may have memory in turns."""
_DEEP = 400
"""Layers, those inside others included, from which on planning takes several times as long as compiling a kind."""
_TIMES = 8
"""Layers for each of the shallower net, at least: that is planned besides."""
_NAME = "compiled"


def compile_ahead(network: Network, batch: int, examples: int, backend: str | None, workers: int | None) -> None:
    """Have the likely backend begin to compile what the training step of a deep net is made of.

    The net is planned meanwhile, and nothing but time depends on it. batch: examples of a step. For the others see
    `Engine`. A net whose code this machine has is remembered, and not looked at again.
    """
    spec, signature = network.spec, network.signature
    layers, fewer = spec.layers, tuple(layer.shallower(_COPIES) for layer in spec.layers)
    if network.whole_objective or _count(layers) < max(_DEEP, _TIMES * _count(fewer)):
        return
    parts = [key_of(spec, signature), str(batch)]
    if found_bytes(_NAME, parts) is not None:
        return
    # Shapes of fewer may not fit where those of all do.
    with suppress(ShapeError):
        graph = Network(replace(spec, layers=fewer), signature).training_step
        component, sizes = likely(spec.backend, backend), interface.sizes(batch, examples)
        if component.obstacle() is None and not component.compile_ahead(graph, sizes, workers):
            keep_bytes(_NAME, parts, b"")


def _count(layers: Iterable[Layer]) -> int:
    """The number of layers, those inside others included."""
    return sum(1 + layer.copies * sum(map(_count, layer.children.values())) for layer in layers)
