"""Memory that training takes, from the shapes alone: what does not fit is refused before anything is allocated."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from nnctl.errors import ShapeError, UsageError
from nnctl.graph import interface
from nnctl.graph.ir import Value
from nnctl.graph.network import Network
from nnctl.ops.shapes import resolve, show
from nnctl.plan.dtypes import element
from nnctl.plan.plan import Plan
from nnctl.process import memory
from nnctl.process.memory import in_bytes

_BEGINNING = element("real", "float64").bytes + element("real").bytes
"""Bytes of a number besides those that it keeps: while the first values are drawn, and until they are placed."""
_LOOKED_AT = 1 << 20
"""Bytes below which nobody asks whether they are there."""


def require_for_training(network: Network, batch: int, examples: int) -> None:
    """Raise ShapeError, at the layer, where the net's arrays or one launch of a training step exceed the memory left.

    batch: examples of a step. examples: of the training set.
    """
    sizes = interface.sizes(batch, examples)
    kept = [(name, layer, math.prod(resolve(shape, sizes))) for name, layer, shape in _kept(network)]
    total = (element("real").bytes + _BEGINNING) * sum(count for *_, count in kept)
    if total > _LOOKED_AT and total > (left := memory.available()):
        of_layer = Counter[str]()
        for _, layer, count in kept:
            of_layer[layer.partition(".")[0]] += count
        largest, count = of_layer.most_common(1)[0]
        name, layer, _ = max((each for each in kept if each[1].partition(".")[0] == largest), key=lambda each: each[2])
        words = f"it has {count:,} numbers, most in {name}; all that training keeps takes {in_bytes(total)}"
        raise _too_large(network, layer, words, left)
    for node in network.training_step.nodes:
        size = sum(_bytes(value, sizes) for value in (*node.inputs, *node.outputs) if value.role != "data")
        if size > _LOOKED_AT and size > (left := memory.available()):
            output = max(node.outputs, key=lambda value: _bytes(value, sizes))
            raise _too_large(
                network,
                node.layer,
                f"{output.name} {show(resolve(output.shape, sizes))} and what it is made of take {in_bytes(size)}",
                left,
            )


def require_for_plan(plan: Plan) -> None:
    """Raise UsageError where the scratch memory of a step exceeds the memory left."""
    if plan.arena_bytes <= _LOOKED_AT or plan.arena_bytes <= (left := memory.available()):
        return
    slots = {slot.name: slot for slot in plan.slots if slot.place == "arena"}
    sizes = {name: math.prod(slot.shape) * element(slot.dtype, plan.precision).bytes for name, slot in slots.items()}
    largest = max(sizes, key=lambda name: sizes[name])
    raise UsageError(
        f"a step of {plan.batch:,} examples takes {in_bytes(plan.arena_bytes)} of scratch memory, and {in_bytes(left)} "
        f"are left\n  the largest part is {largest} {show(slots[largest].shape)}, {in_bytes(sizes[largest])}; "
        "a smaller batch takes less"
    )


def _kept(network: Network) -> Iterator[tuple[str, str, tuple[object, ...]]]:
    """(name, layer, shape) of every array that outlives a step."""
    structure = network.structure
    for name, parameter in structure.parameters.items():
        yield name, parameter.layer, parameter.shape
    for name, (parameter, _) in structure.optimizer_state.items():
        yield name, parameter.layer, parameter.shape
    for name, state in structure.states.items():
        yield name, state.layer, state.value.shape


def _bytes(value: Value, sizes: dict[str, int]) -> int:
    shape: tuple[int, ...] = resolve(value.shape, sizes)
    return math.prod(shape) * element(value.type.dtype).bytes


def _too_large(network: Network, layer: str, what: str, left: int) -> ShapeError:
    root = layer.partition(".")[0]
    position = next((i for i, built in enumerate(network.structure.layers) if built.path == root), None)
    return ShapeError(
        f"{what}, and {in_bytes(left)} are left",
        "make the layer smaller, or the batch",
        layer=layer,
        path="layers" if position is None else f"layers.{position}",
    )
