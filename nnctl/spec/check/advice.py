"""Advice on a spec: no errors, but doubts worth a sentence before training begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from nnctl.components.base import Layer
from nnctl.components.registry import Component
from nnctl.spec.check.wiring import layer_names
from nnctl.spec.document import Spec, settled


def advice(spec: Spec) -> tuple[str, ...]:
    """A sentence for each doubt, in the order of the layers; then those about the other components."""
    ready = settled(spec)
    others = (component for f in fields(ready) if f.name != "layers" for component in _inside(getattr(ready, f.name)))
    return (
        *_flat(ready.layers, ""),
        *(_unmasked(ready.layers, "") if ready.data.fills_up else ()),
        *(f"{component.kind} '{component.type}': {doubt}" for component in others for doubt in component.doubts),
    )


def _inside(value: Any) -> Iterator[Component]:
    """The component that a value is, or those in it."""
    if isinstance(value, tuple):
        for item in value:
            yield from _inside(item)
    elif is_dataclass(value):
        if isinstance(value, Component):
            yield value
        for f in fields(value):
            yield from _inside(getattr(value, f.name))


def _flat(layers: tuple[Layer, ...], above: str) -> Iterator[str]:
    """Layers that are trained through an activation without slope, and what layers doubt of themselves."""
    for layer, name in zip(layers, layer_names(layers), strict=True):
        for inner in layer.children.values():
            yield from _flat(inner, f"{above}{name}.")
        yield from (f"layer '{above}{name}': {doubt}" for doubt in layer.doubts)
        activation = layer.output_activation
        if activation is not None and not activation.learns and not layer.frozen:
            yield (
                f"layer '{above}{name}' ends in '{activation.type}', whose derivative is 0: neither it nor what only "
                "it reads will learn; train with sigmoid, or say frozen: true"
            )


def _unmasked(layers: tuple[Layer, ...], above: str) -> Iterator[str]:
    """Layers that read what sequences are filled up with."""
    for layer, name in zip(layers, layer_names(layers), strict=True):
        for inner in layer.children.values():
            yield from _unmasked(inner, f"{above}{name}.")
        if layer.takes_mask and len(layer.inputs or ()) < 2:
            yield (
                f"layer '{above}{name}' reads on behind the ends of sequences, into what they are filled up with; let "
                "it read a layer of type mask, too, as its second input"
            )
