"""Code of deep nets, compiled while they are planned: a shallower net of the same layers has the same launches."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from nnctl.backends.cache.store import found_bytes, keep_bytes
from nnctl.backends.registry import likely
from nnctl.engine.kept import key_of
from nnctl.errors import ShapeError
from nnctl.graph import interface
from nnctl.graph.network import Network

_COPIES = 4
"""Copies of a layer, at most: the first, the last, and two in between, which may have memory in turns."""
_DEEP = 16
"""Copies from which on a net takes much longer to plan than with these."""
_NAME = "compiled"


def compile_ahead(network: Network, batch: int, examples: int, backend: str | None, workers: int | None) -> None:
    """Have the likely backend begin to compile what the training step of a deep net is made of.

    The net is planned meanwhile, and nothing but time depends on it. batch: examples of a step. For the others see
    `Engine`. A net whose code this machine has is remembered, and not looked at again.
    """
    spec, signature = network.spec, network.signature
    if network.whole_objective or max((layer.copies for layer in spec.layers), default=1) < _DEEP:
        return
    parts = [key_of(spec, signature), str(batch)]
    if found_bytes(_NAME, parts) is not None:
        return
    shallow = replace(spec, layers=tuple(layer.shallower(_COPIES) for layer in spec.layers))
    # Its shapes may not fit where those of all copies do.
    with suppress(ShapeError):
        graph = Network(shallow, signature).training_step
        component = likely(spec.backend, backend)
        if component.obstacle() is None and not component.compile_ahead(
            graph, interface.sizes(batch, examples), workers
        ):
            keep_bytes(_NAME, parts, b"")
